// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Accounts} from "./Accounts.sol";
import {Account, Service, ServiceParams} from "./IInferenceServing.sol";
import {IERC165, IServing} from "./IServing.sol";
import {KeySet} from "./KeySet.sol";
import {Owned} from "./Owned.sol";
import {Refunds} from "./Refunds.sol";
import {Services} from "./Services.sol";
import {Settlement} from "./Settlement.sol";

/// @notice Services on offer, and the sub-accounts from which their fees are settled.
contract InferenceServing is Settlement, Owned, IServing, IERC165 {
    using Accounts for Accounts.Store;
    using KeySet for KeySet.Set;
    using Refunds for Account;
    using Services for Services.Store;

    uint256 public constant MIN_LOCKTIME = 1 hours;
    uint256 public constant MAX_LOCKTIME = 7 days;
    uint256 public constant MIN_PROVIDER_STAKE = 100 ether;
    uint256 private constant MAX_PAGE = 50;
    uint256 private constant MAX_BATCH = 500;

    uint256 public lockTime;
    mapping(address => uint256) private stakes;

    constructor(
        uint256 firstLockTime,
        address ledgerContract,
        address firstOwner
    ) Owned(firstOwner) Settlement(ledgerContract) {
        requireAddress(ledgerContract);
        requireAddress(firstOwner);
        requireInRange(firstLockTime);
        lockTime = firstLockTime;
        emit ContractInitialized(firstOwner, firstLockTime, ledgerContract);
    }

    modifier onlyLedger() {
        if (msg.sender != ledgerAddress) revert CallerNotLedger(msg.sender);
        _;
    }

    receive() external payable {
        revert DirectDepositsDisabled();
    }

    // What the ledger does with sub-accounts

    function addAccount(
        address user,
        address provider,
        string calldata additionalInfo
    ) external payable onlyLedger {
        fund(subAccounts.open(user, provider, additionalInfo));
    }

    function depositFund(
        address user,
        address provider,
        uint256 cancelRetrievingAmount
    ) external payable onlyLedger {
        Account storage account = subAccounts.get(user, provider);
        account.cancel(cancelRetrievingAmount);
        fund(account);
    }

    function requestRefundAll(address user, address provider) external onlyLedger {
        Account storage account = subAccounts.get(user, provider);
        if (account.free() == 0) return;
        emit RefundRequested(user, provider, account.request(), block.timestamp);
    }

    function processRefund(
        address user,
        address provider
    ) external onlyLedger returns (uint256 totalAmount, uint256 balance, uint256 pendingRefund) {
        Account storage account = subAccounts.get(user, provider);
        totalAmount = account.release(lockTime);
        balance = account.balance;
        pendingRefund = account.pendingRefund;
        if (totalAmount == 0) return (totalAmount, balance, pendingRefund);
        emit BalanceUpdated(user, provider, balance, pendingRefund);
        pay(ledgerAddress, totalAmount);
    }

    function deleteAccount(address user, address provider) external onlyLedger {
        subAccounts.close(user, provider);
        emit AccountDeleted(user, provider, 0);
    }

    // What a user does with a sub-account

    function acknowledgeTEESigner(address provider, bool acknowledged) external {
        Account storage account = subAccounts.get(msg.sender, provider);
        if (account.acknowledged && !acknowledged && account.balance != 0) {
            revert CannotRevokeWithNonZeroBalance(msg.sender, provider, account.balance);
        }
        account.acknowledged = acknowledged;
    }

    function revokeToken(address provider, uint8 tokenId) external {
        subAccounts.get(msg.sender, provider).revokedBitmap |= uint256(1) << tokenId;
        emit TokenRevoked(msg.sender, provider, tokenId);
    }

    function revokeTokens(address provider, uint8[] calldata tokenIds) external {
        Account storage account = subAccounts.get(msg.sender, provider);
        for (uint256 i = 0; i < tokenIds.length; i++) account.revokedBitmap |= uint256(1) << tokenIds[i];
        emit TokensRevoked(msg.sender, provider, tokenIds);
    }

    function revokeAllTokens(address provider) external {
        Account storage account = subAccounts.get(msg.sender, provider);
        account.generation++;
        account.revokedBitmap = 0;
        emit AllTokensRevoked(msg.sender, provider, account.generation);
    }

    // What a provider does with its service

    /// @notice Offer a service (with the stake) or change it (without any value).
    function addOrUpdateService(ServiceParams calldata params) external payable {
        if (!offers.exists(msg.sender)) stake();
        else if (msg.value != 0) revert CannotAddStakeWhenUpdating();
        offers.put(params);
        emit ServiceUpdated(
            msg.sender,
            params.serviceType,
            params.url,
            params.inputPrice,
            params.outputPrice,
            block.timestamp,
            params.model,
            params.verifiability
        );
    }

    /// @notice Withdraw the service; the stake comes back.
    function removeService() external {
        offers.remove(msg.sender);
        uint256 amount = stakes[msg.sender];
        delete stakes[msg.sender];
        emit ServiceRemoved(msg.sender);
        emit ProviderStakeReturned(msg.sender, amount);
        pay(msg.sender, amount);
    }

    // What the contract owner does

    function acknowledgeTEESignerByOwner(address provider) external onlyOwner {
        setAcknowledged(provider, true);
    }

    function revokeTEESignerAcknowledgement(address provider) external onlyOwner {
        setAcknowledged(provider, false);
    }

    function updateLockTime(uint256 _locktime) external onlyOwner {
        requireInRange(_locktime);
        emit LockTimeUpdated(lockTime, _locktime);
        lockTime = _locktime;
    }

    // Reading

    function accountExists(address user, address provider) external view returns (bool) {
        return subAccounts.exists(user, provider);
    }

    function getAccount(address user, address provider) external view returns (Account memory) {
        return subAccounts.get(user, provider);
    }

    function getAccountsByProvider(
        address provider,
        uint256 offset,
        uint256 limit
    ) external view returns (Account[] memory accounts, uint256 total) {
        return pageOf(subAccounts.ofProvider[provider], offset, limit);
    }

    function getAccountsByUser(
        address user,
        uint256 offset,
        uint256 limit
    ) external view returns (Account[] memory accounts, uint256 total) {
        return pageOf(subAccounts.ofUser[user], offset, limit);
    }

    function getAllAccounts(
        uint256 offset,
        uint256 limit
    ) external view returns (Account[] memory accounts, uint256 total) {
        return pageOf(subAccounts.all, offset, limit);
    }

    /// @notice The calling provider's sub-accounts of these users; an empty record where there is none.
    function getBatchAccountsByUsers(
        address[] calldata users
    ) external view returns (Account[] memory accounts) {
        if (users.length > MAX_BATCH) revert BatchSizeTooLarge(users.length, MAX_BATCH);
        accounts = new Account[](users.length);
        for (uint256 i = 0; i < users.length; i++) {
            if (subAccounts.exists(users[i], msg.sender)) accounts[i] = subAccounts.get(users[i], msg.sender);
        }
    }

    function getPendingRefund(address user, address provider) external view returns (uint256) {
        return subAccounts.get(user, provider).pendingRefund;
    }

    function isTokenRevoked(
        address user,
        address provider,
        uint8 tokenId
    ) external view returns (bool) {
        return (subAccounts.get(user, provider).revokedBitmap >> tokenId) & 1 == 1;
    }

    function serviceExists(address provider) external view returns (bool) {
        return offers.exists(provider);
    }

    function getService(address provider) external view returns (Service memory service) {
        return offers.get(provider);
    }

    function getAllServices(
        uint256 offset,
        uint256 limit
    ) external view returns (Service[] memory services, uint256 total) {
        return (offers.page(offset, pageLimit(limit)), offers.providers.length());
    }

    function supportsInterface(bytes4 interfaceId) external view returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IServing).interfaceId;
    }

    /// @dev Trusting a provider with money includes acknowledging its signer.
    function fund(Account storage account) private {
        account.balance += msg.value;
        account.acknowledged = true;
        emit BalanceUpdated(account.user, account.provider, account.balance, account.pendingRefund);
    }

    function stake() private {
        if (msg.value < MIN_PROVIDER_STAKE) revert InsufficientStake(msg.value, MIN_PROVIDER_STAKE);
        stakes[msg.sender] = msg.value;
        emit ProviderStaked(msg.sender, msg.value);
    }

    function setAcknowledged(address provider, bool acknowledged) private {
        Service storage service = offers.get(provider);
        service.teeSignerAcknowledged = acknowledged;
        emit ProviderTEESignerAcknowledged(provider, service.teeSignerAddress, acknowledged);
    }

    function pageOf(
        KeySet.Set storage keys,
        uint256 offset,
        uint256 limit
    ) private view returns (Account[] memory, uint256) {
        return (subAccounts.page(keys, offset, pageLimit(limit)), keys.length());
    }

    function pageLimit(uint256 limit) private pure returns (uint256) {
        if (limit > MAX_PAGE) revert LimitTooLarge(limit, MAX_PAGE);
        return limit == 0 ? MAX_PAGE : limit;
    }

    function requireAddress(address addr) private pure {
        if (addr == address(0)) revert InvalidAddress(addr);
    }

    function requireInRange(uint256 time) private pure {
        if (time < MIN_LOCKTIME || time > MAX_LOCKTIME) {
            revert LockTimeOutOfRange(time, MIN_LOCKTIME, MAX_LOCKTIME);
        }
    }
}
