// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {IInferenceServing, Service, ServiceParams} from "./IInferenceServing.sol";
import {KeySet} from "./KeySet.sol";

/// @notice The services on offer, one per provider.
library Services {
    using KeySet for KeySet.Set;

    uint256 internal constant MAX_ADDITIONAL_INFO_LENGTH = 4096;

    struct Store {
        KeySet.Set providers;
        mapping(address => Service) records;
    }

    function exists(Store storage store, address provider) internal view returns (bool) {
        return store.providers.contains(KeySet.toKey(provider));
    }

    function get(Store storage store, address provider) internal view returns (Service storage) {
        if (!exists(store, provider)) revert IInferenceServing.ServiceNotExist(provider);
        return store.records[provider];
    }

    /// @notice Write the sender's service. A changed identity (anything but prices and URL) must be
    /// acknowledged anew by the contract owner.
    function put(Store storage store, ServiceParams calldata params) internal {
        if (bytes(params.additionalInfo).length > MAX_ADDITIONAL_INFO_LENGTH) {
            revert IInferenceServing.AdditionalInfoTooLong();
        }
        Service storage service = store.records[msg.sender];
        if (!isSameIdentity(service, params)) service.teeSignerAcknowledged = false;
        store.providers.add(KeySet.toKey(msg.sender));
        service.provider = msg.sender;
        service.serviceType = params.serviceType;
        service.url = params.url;
        service.inputPrice = params.inputPrice;
        service.outputPrice = params.outputPrice;
        service.updatedAt = block.timestamp;
        service.model = params.model;
        service.verifiability = params.verifiability;
        service.additionalInfo = params.additionalInfo;
        service.teeSignerAddress = params.teeSignerAddress;
    }

    function remove(Store storage store, address provider) internal {
        get(store, provider);
        store.providers.remove(KeySet.toKey(provider));
        delete store.records[provider];
    }

    function page(
        Store storage store,
        uint256 offset,
        uint256 limit
    ) internal view returns (Service[] memory found) {
        bytes32[] memory chosen = store.providers.page(offset, limit);
        found = new Service[](chosen.length);
        for (uint256 i = 0; i < chosen.length; i++) {
            found[i] = store.records[KeySet.toAddress(chosen[i])];
        }
    }

    function isSameIdentity(
        Service storage service,
        ServiceParams calldata params
    ) private view returns (bool) {
        return
            service.teeSignerAddress == params.teeSignerAddress &&
            isSame(service.serviceType, params.serviceType) &&
            isSame(service.model, params.model) &&
            isSame(service.verifiability, params.verifiability) &&
            isSame(service.additionalInfo, params.additionalInfo);
    }

    function isSame(string memory left, string memory right) private pure returns (bool) {
        return keccak256(bytes(left)) == keccak256(bytes(right));
    }
}
