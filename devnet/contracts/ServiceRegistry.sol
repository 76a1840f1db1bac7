// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {IERC165, IServing} from "./IServing.sol";
import {ILedgerManager, ServiceInfo} from "./ILedgerManager.sol";
import {KeySet} from "./KeySet.sol";
import {Owned} from "./Owned.sol";

/// @notice The serving contracts that the ledger works with, by address and by full name.
abstract contract ServiceRegistry is ILedgerManager, Owned {
    using KeySet for KeySet.Set;

    uint256 public constant MAX_SERVICES = 500;
    uint256 private constant PROBE_GAS = 30_000; // what ERC-165 grants to one question

    KeySet.Set private serviceKeys;
    mapping(address => ServiceInfo) private services;
    mapping(string => address) private addressByName;
    mapping(string => address) private recommendedByType;

    function registerService(
        string calldata serviceType,
        string calldata version,
        address serviceAddress,
        string calldata description
    ) external onlyOwner {
        if (serviceAddress == address(0)) revert InvalidServiceAddress(serviceAddress);
        if (bytes(serviceType).length == 0) revert ServiceTypeRequired();
        if (bytes(version).length == 0) revert VersionRequired();
        if (isRegistered(serviceAddress)) revert ServiceAlreadyRegistered(serviceAddress);
        string memory fullName = fullNameOf(serviceType, version);
        if (addressByName[fullName] != address(0)) revert ServiceNameExists(fullName);
        if (!implementsServing(serviceAddress)) revert ServiceMustImplementIServing(serviceAddress);
        if (serviceKeys.length() >= MAX_SERVICES) revert ServiceRegistryLimitReached(MAX_SERVICES);

        ServiceInfo storage service = services[serviceAddress];
        service.serviceAddress = serviceAddress;
        service.serviceContract = IServing(serviceAddress);
        service.serviceType = serviceType;
        service.version = version;
        service.fullName = fullName;
        service.description = description;
        service.registeredAt = block.timestamp;
        addressByName[fullName] = serviceAddress;
        serviceKeys.add(KeySet.toKey(serviceAddress));
        emit ServiceRegistered(serviceAddress, fullName);
    }

    /// @notice Make one version the recommended one of its type, in place of any other.
    function setRecommendedService(string calldata serviceType, string calldata version) external onlyOwner {
        address serviceAddress = serviceNamed(fullNameOf(serviceType, version));
        address previous = recommendedByType[serviceType];
        if (previous != address(0)) services[previous].isRecommended = false;
        services[serviceAddress].isRecommended = true;
        recommendedByType[serviceType] = serviceAddress;
        emit RecommendedServiceUpdated(serviceType, version, serviceAddress);
    }

    function getAllActiveServices() external view returns (ServiceInfo[] memory) {
        address[] memory list = serviceKeys.addresses();
        ServiceInfo[] memory infos = new ServiceInfo[](list.length);
        for (uint256 i = 0; i < list.length; i++) infos[i] = services[list[i]];
        return infos;
    }

    function getAllVersions(
        string calldata serviceType
    )
        external
        view
        returns (string[] memory versions, address[] memory addresses, bool[] memory isRecommendedFlags)
    {
        addresses = addressesOfType(serviceType);
        versions = new string[](addresses.length);
        isRecommendedFlags = new bool[](addresses.length);
        for (uint256 i = 0; i < addresses.length; i++) {
            versions[i] = services[addresses[i]].version;
            isRecommendedFlags[i] = services[addresses[i]].isRecommended;
        }
    }

    function getRecommendedService(
        string calldata serviceType
    ) external view returns (string memory version, address serviceAddress) {
        serviceAddress = recommendedByType[serviceType];
        if (serviceAddress == address(0)) revert NoRecommendedService(serviceType);
        version = services[serviceAddress].version;
    }

    /// @notice The address of a full name; zero if nothing has that name.
    function getServiceAddressByName(string calldata serviceName) external view returns (address) {
        return addressByName[serviceName];
    }

    /// @notice The record of an address; all empty if it is not registered.
    function getServiceInfo(address serviceAddress) external view returns (ServiceInfo memory) {
        return services[serviceAddress];
    }

    function isRecommendedVersion(
        string calldata serviceType,
        string calldata version
    ) external view returns (bool) {
        return services[addressByName[fullNameOf(serviceType, version)]].isRecommended;
    }

    function isRegistered(address serviceAddress) internal view returns (bool) {
        return serviceKeys.contains(KeySet.toKey(serviceAddress));
    }

    function serviceNamed(string memory fullName) internal view returns (address serviceAddress) {
        serviceAddress = addressByName[fullName];
        if (serviceAddress == address(0)) revert ServiceNotFound(serviceAddress);
    }

    function allServiceAddresses() internal view returns (address[] memory) {
        return serviceKeys.addresses();
    }

    function addressesOfType(string calldata serviceType) private view returns (address[] memory found) {
        address[] memory list = serviceKeys.addresses();
        bytes32 wanted = keccak256(bytes(serviceType));
        uint256 count = 0;
        for (uint256 i = 0; i < list.length; i++) {
            if (keccak256(bytes(services[list[i]].serviceType)) == wanted) list[count++] = list[i];
        }
        found = new address[](count);
        for (uint256 i = 0; i < count; i++) found[i] = list[i];
    }

    function implementsServing(address candidate) private view returns (bool) {
        return
            answersTo(candidate, type(IERC165).interfaceId) &&
            !answersTo(candidate, 0xffffffff) &&
            answersTo(candidate, type(IServing).interfaceId);
    }

    function answersTo(address candidate, bytes4 interfaceId) private view returns (bool) {
        (bool success, bytes memory answer) = candidate.staticcall{gas: PROBE_GAS}(
            abi.encodeCall(IERC165.supportsInterface, (interfaceId))
        );
        return success && answer.length >= 32 && uint256(bytes32(answer)) == 1;
    }

    function fullNameOf(
        string memory serviceType,
        string memory version
    ) private pure returns (string memory) {
        return string.concat(serviceType, "-", version);
    }
}
