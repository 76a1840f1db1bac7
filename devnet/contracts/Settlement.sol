// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Accounts} from "./Accounts.sol";
import {
    Account,
    IInferenceServing,
    Service,
    SettlementStatus,
    TEESettlementData
} from "./IInferenceServing.sol";
import {ILedgerManager} from "./ILedgerManager.sol";
import {Refunds} from "./Refunds.sol";
import {Services} from "./Services.sol";
import {SettlementSignature} from "./SettlementSignature.sol";

/// @notice How a provider is paid: batches of fees, each signed by its TEE signer. One bad item never
/// stops the others; each is answered with a status.
abstract contract Settlement is IInferenceServing {
    using Accounts for Accounts.Store;
    using Refunds for Account;
    using Services for Services.Store;
    using SettlementSignature for TEESettlementData;

    uint256 private constant MAX_SETTLEMENTS = 50;

    address public immutable ledgerAddress;
    Accounts.Store internal subAccounts;
    Services.Store internal offers;

    constructor(address ledgerContract) {
        ledgerAddress = ledgerContract;
    }

    /// @notice Take the fees out of the users' sub-accounts and pay them to the calling provider.
    /// @return statuses one per item, in the same order
    function settleFeesWithTEE(
        TEESettlementData[] calldata settlements
    ) external returns (SettlementStatus[] memory statuses) {
        requireCount(settlements.length);
        statuses = new SettlementStatus[](settlements.length);
        uint256 earned = 0;
        for (uint256 i = 0; i < settlements.length; i++) {
            (SettlementStatus status, uint256 settled) = settle(settlements[i]);
            statuses[i] = status;
            earned += settled;
            emit TEESettlementResult(settlements[i].user, status, settlements[i].totalFee - settled);
        }
        if (earned > 0) pay(msg.sender, earned);
    }

    /// @notice Tell the calling provider what settling these items, in this order, would result in.
    function previewSettlementResults(
        TEESettlementData[] calldata settlements
    )
        external
        view
        returns (
            address[] memory failedUsers,
            SettlementStatus[] memory failureReasons,
            address[] memory partialUsers,
            uint256[] memory partialAmounts
        )
    {
        requireCount(settlements.length);
        (SettlementStatus[] memory statuses, uint256[] memory settled) = rehearse(settlements);
        uint256 partials = count(statuses, SettlementStatus.PARTIAL);
        uint256 failures = statuses.length - partials - count(statuses, SettlementStatus.SUCCESS);
        failedUsers = new address[](failures);
        failureReasons = new SettlementStatus[](failures);
        partialUsers = new address[](partials);
        partialAmounts = new uint256[](partials);
        (failures, partials) = (0, 0);
        for (uint256 i = 0; i < statuses.length; i++) {
            if (statuses[i] == SettlementStatus.PARTIAL) {
                partialUsers[partials] = settlements[i].user;
                partialAmounts[partials++] = settlements[i].totalFee - settled[i];
            } else if (statuses[i] != SettlementStatus.SUCCESS) {
                failedUsers[failures] = settlements[i].user;
                failureReasons[failures++] = statuses[i];
            }
        }
    }

    function pay(address recipient, uint256 amount) internal {
        (bool paid, ) = recipient.call{value: amount}("");
        if (!paid) revert TransferFailed();
    }

    function settle(
        TEESettlementData calldata item
    ) private returns (SettlementStatus status, uint256 settled) {
        status = refusal(item);
        if (status != SettlementStatus.SUCCESS) return (status, 0);
        Account storage account = subAccounts.get(item.user, item.provider);
        if (item.nonce <= account.nonce) return (SettlementStatus.INVALID_NONCE, 0);
        if (!isSigned(item)) return (SettlementStatus.INVALID_SIGNATURE, 0);
        (status, settled) = affordable(item.totalFee, account.balance);
        account.nonce = item.nonce;
        if (settled == 0) return (status, settled);
        account.charge(settled);
        ILedgerManager(ledgerAddress).spendFund(item.user, settled);
        emit BalanceUpdated(item.user, item.provider, account.balance, account.pendingRefund);
    }

    /// @dev Settles in memory: nonce and balance are the account's after the items before it.
    function rehearse(
        TEESettlementData[] calldata settlements
    ) private view returns (SettlementStatus[] memory statuses, uint256[] memory settled) {
        statuses = new SettlementStatus[](settlements.length);
        settled = new uint256[](settlements.length);
        for (uint256 i = 0; i < settlements.length; i++) {
            TEESettlementData calldata item = settlements[i];
            statuses[i] = refusal(item);
            if (statuses[i] != SettlementStatus.SUCCESS) continue;
            Account storage account = subAccounts.get(item.user, item.provider);
            (uint256 nonce, uint256 balance) = (account.nonce, account.balance);
            for (uint256 j = 0; j < i; j++) {
                if (settlements[j].user != item.user || statuses[j] > SettlementStatus.PARTIAL) continue;
                nonce = settlements[j].nonce;
                balance -= settled[j];
            }
            if (item.nonce <= nonce) statuses[i] = SettlementStatus.INVALID_NONCE;
            else if (!isSigned(item)) statuses[i] = SettlementStatus.INVALID_SIGNATURE;
            else (statuses[i], settled[i]) = affordable(item.totalFee, balance);
        }
    }

    /// @dev The reasons to refuse an item that come before its nonce, in the order in which they count.
    function refusal(TEESettlementData calldata item) private view returns (SettlementStatus) {
        if (item.provider != msg.sender) return SettlementStatus.PROVIDER_MISMATCH;
        if (!subAccounts.exists(item.user, item.provider)) return SettlementStatus.INVALID_SIGNATURE;
        if (!offers.exists(item.provider)) return SettlementStatus.PROVIDER_MISMATCH;
        Service storage service = offers.get(item.provider);
        bool acknowledged = subAccounts.get(item.user, item.provider).acknowledged &&
            service.teeSignerAcknowledged &&
            service.teeSignerAddress != address(0);
        return acknowledged ? SettlementStatus.SUCCESS : SettlementStatus.NO_TEE_SIGNER;
    }

    function isSigned(TEESettlementData calldata item) private view returns (bool) {
        return item.isSignedBy(offers.get(item.provider).teeSignerAddress);
    }

    function affordable(uint256 fee, uint256 balance) private pure returns (SettlementStatus, uint256) {
        return fee > balance ? (SettlementStatus.PARTIAL, balance) : (SettlementStatus.SUCCESS, fee);
    }

    function count(
        SettlementStatus[] memory statuses,
        SettlementStatus wanted
    ) private pure returns (uint256 found) {
        for (uint256 i = 0; i < statuses.length; i++) if (statuses[i] == wanted) found++;
    }

    function requireCount(uint256 length) private pure {
        if (length == 0) revert NoSettlementsProvided();
        if (length > MAX_SETTLEMENTS) revert TooManySettlements(length, MAX_SETTLEMENTS);
    }
}
