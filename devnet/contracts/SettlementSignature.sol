// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {TEESettlementData} from "./IInferenceServing.sol";

/// @notice Who signed a settlement: EIP-712 typed data, secp256k1 in its canonical form only.
library SettlementSignature {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant SETTLEMENT_TYPE =
        keccak256(
            "TEESettlement(bytes32 requestsHash,uint256 nonce,address provider,address user,uint256 totalFee)"
        );
    bytes32 private constant NAME = keccak256("0G Inference Serving");
    bytes32 private constant VERSION = keccak256("1");

    /// @dev Half of the curve's order: of the two valid s values only the lower one counts.
    uint256 private constant HIGHEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Tell whether `signer`, which must not be zero, signed the settlement for this contract.
    function isSignedBy(TEESettlementData calldata item, address signer) internal view returns (bool) {
        bytes calldata signature = item.signature;
        if (signature.length != 65) return false;
        if (uint256(bytes32(signature[32:64])) > HIGHEST_S) return false;
        address recovered = ecrecover(
            digest(item),
            uint8(signature[64]),
            bytes32(signature[0:32]),
            bytes32(signature[32:64])
        );
        return recovered == signer && signer != address(0);
    }

    function digest(TEESettlementData calldata item) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        bytes32 settlement = keccak256(
            abi.encode(SETTLEMENT_TYPE, item.requestsHash, item.nonce, item.provider, item.user, item.totalFee)
        );
        return keccak256(abi.encodePacked(hex"1901", domain, settlement));
    }
}
