// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {IServing} from "./IServing.sol";
import {ILedgerManager, Ledger} from "./ILedgerManager.sol";
import {KeySet} from "./KeySet.sol";
import {Owned} from "./Owned.sol";
import {ServiceRegistry} from "./ServiceRegistry.sol";

/// @notice One ledger per user: money that is available, and money that is locked in sub-accounts
/// of the registered serving contracts. This contract holds the former, those hold the latter.
contract LedgerManager is ServiceRegistry {
    using KeySet for KeySet.Set;

    uint256 public constant MAX_ADDITIONAL_INFO_LENGTH = 4096;
    uint256 public constant MAX_PROVIDERS_PER_BATCH = 20;
    uint256 public constant MAX_PROVIDERS_PER_USER_PER_SERVICE = 50;
    uint256 public constant MIN_ACCOUNT_BALANCE = 3 ether;
    uint256 public constant MIN_TRANSFER_AMOUNT = 1 ether;
    uint256 private constant DEFAULT_PAGE = 50;

    KeySet.Set private users;
    mapping(address => Ledger) private ledgerByUser;
    mapping(address => mapping(address => KeySet.Set)) private providersOf; // user => serving contract
    mapping(address => bool) private isLocked;

    constructor(address firstOwner) Owned(firstOwner) {}

    /// @dev Keeps a user's ledger from being entered again while it is being changed.
    modifier locked(address user) {
        if (isLocked[user]) revert LedgerLocked();
        isLocked[user] = true;
        _;
        isLocked[user] = false;
    }

    /// @dev Serving contracts pay refunds back this way; everybody else must name a ledger.
    receive() external payable {
        if (!isRegistered(msg.sender)) revert DirectDepositsDisabled();
    }

    // Money in and out of the wallet

    function addLedger(
        string calldata additionalInfo
    ) external payable locked(msg.sender) returns (uint256, uint256) {
        requireShort(additionalInfo);
        if (exists(msg.sender)) revert LedgerExists(msg.sender);
        open(msg.sender, msg.value, additionalInfo);
        return (msg.value, 0);
    }

    function depositFund() external payable locked(msg.sender) {
        deposit(msg.sender, msg.value);
    }

    function depositFundFor(address recipient) external payable locked(recipient) {
        if (recipient == address(0)) revert ZeroAddressNotAllowed();
        deposit(recipient, msg.value);
    }

    /// @notice Pay available money out to the wallet; leave nothing or at least the minimum.
    function refund(uint256 amount) external locked(msg.sender) {
        Ledger storage ledger = ledgerOf(msg.sender);
        if (ledger.availableBalance < amount) revert InsufficientBalance(msg.sender);
        uint256 remaining = ledger.availableBalance - amount;
        if (remaining != 0 && remaining < MIN_ACCOUNT_BALANCE) {
            revert MinimumDepositRequired(remaining, MIN_ACCOUNT_BALANCE);
        }
        ledger.availableBalance = remaining;
        ledger.totalBalance -= amount;
        if (ledger.totalBalance == 0) close(msg.sender);
        (bool paid, ) = msg.sender.call{value: amount}("");
        if (!paid) revert TransferFailed();
    }

    function deleteLedger() external locked(msg.sender) {
        uint256 total = ledgerOf(msg.sender).totalBalance;
        if (total != 0) revert MustWithdrawAllFundsFirst(total);
        close(msg.sender);
    }

    function updateAdditionalInfo(string calldata additionalInfo) external locked(msg.sender) {
        requireShort(additionalInfo);
        ledgerOf(msg.sender).additionalInfo = additionalInfo;
        emit LedgerInfoUpdated(msg.sender, additionalInfo);
    }

    // Money in and out of sub-accounts

    /// @notice Fund a sub-account: first by cancelling pending refunds, then from what is available.
    function transferFund(
        address provider,
        string calldata serviceName,
        uint256 amount
    ) external locked(msg.sender) {
        Ledger storage ledger = ledgerOf(msg.sender);
        address serving = serviceNamed(serviceName);
        if (IServing(serving).accountExists(msg.sender, provider)) {
            uint256 pending = IServing(serving).getPendingRefund(msg.sender, provider);
            uint256 cancelled = amount < pending ? amount : pending;
            bytes memory depositCall = abi.encodeCall(
                IServing.depositFund,
                (msg.sender, provider, cancelled)
            );
            move(ledger, serving, amount - cancelled, depositCall);
        } else {
            if (amount < MIN_TRANSFER_AMOUNT) revert MinimumDepositRequired(amount, MIN_TRANSFER_AMOUNT);
            addProvider(serving, provider);
            bytes memory addCall = abi.encodeCall(
                IServing.addAccount,
                (msg.sender, provider, ledger.additionalInfo)
            );
            move(ledger, serving, amount, addCall);
        }
    }

    /// @notice Bring home every refund whose lock time has passed, and start it for all the rest.
    function retrieveFund(
        address[] calldata providers,
        string calldata serviceName
    ) external locked(msg.sender) {
        if (providers.length > MAX_PROVIDERS_PER_BATCH) {
            revert TooManyProviders(providers.length, MAX_PROVIDERS_PER_BATCH);
        }
        Ledger storage ledger = ledgerOf(msg.sender);
        IServing serving = IServing(serviceNamed(serviceName));
        for (uint256 i = 0; i < providers.length; i++) {
            if (!serving.accountExists(msg.sender, providers[i])) continue;
            (uint256 returned, , ) = serving.processRefund(msg.sender, providers[i]);
            ledger.availableBalance += returned;
            serving.requestRefundAll(msg.sender, providers[i]);
        }
    }

    /// @inheritdoc ILedgerManager
    function spendFund(address user, uint256 amount) external override locked(user) {
        if (!isRegistered(msg.sender)) revert CallerNotRegisteredService(msg.sender);
        Ledger storage ledger = ledgerOf(user);
        if (ledger.totalBalance - ledger.availableBalance < amount) revert InsufficientBalance(user);
        ledger.totalBalance -= amount;
        emit FundSpent(user, msg.sender, amount);
    }

    // Reading

    function getLedger(address user) external view returns (Ledger memory) {
        return ledgerOf(user);
    }

    /// @notice One page of all ledgers; `limit` 0 means 50.
    function getAllLedgers(
        uint256 offset,
        uint256 limit
    ) external view returns (Ledger[] memory ledgers, uint256 total) {
        bytes32[] memory keys = users.page(offset, limit == 0 ? DEFAULT_PAGE : limit);
        ledgers = new Ledger[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) ledgers[i] = ledgerByUser[KeySet.toAddress(keys[i])];
        total = users.length();
    }

    function getLedgerProviders(
        address user,
        string calldata serviceName
    ) external view returns (address[] memory) {
        return providersOf[user][serviceNamed(serviceName)].addresses();
    }

    function exists(address user) private view returns (bool) {
        return users.contains(KeySet.toKey(user));
    }

    function ledgerOf(address user) private view returns (Ledger storage) {
        if (!exists(user)) revert LedgerNotExists(user);
        return ledgerByUser[user];
    }

    function requireShort(string calldata additionalInfo) private pure {
        uint256 length = bytes(additionalInfo).length;
        if (length > MAX_ADDITIONAL_INFO_LENGTH) {
            revert AdditionalInfoTooLong(length, MAX_ADDITIONAL_INFO_LENGTH);
        }
    }

    function deposit(address user, uint256 amount) private {
        if (amount == 0) revert ZeroAmountNotAllowed();
        if (!exists(user)) return open(user, amount, "");
        ledgerByUser[user].availableBalance += amount;
        ledgerByUser[user].totalBalance += amount;
    }

    function open(address user, uint256 amount, string memory additionalInfo) private {
        if (amount < MIN_ACCOUNT_BALANCE) revert MinimumDepositRequired(amount, MIN_ACCOUNT_BALANCE);
        users.add(KeySet.toKey(user));
        ledgerByUser[user] = Ledger(user, amount, amount, additionalInfo);
    }

    function close(address user) private {
        address[] memory servings = allServiceAddresses();
        for (uint256 i = 0; i < servings.length; i++) {
            KeySet.Set storage providers = providersOf[user][servings[i]];
            address[] memory list = providers.addresses();
            for (uint256 j = 0; j < list.length; j++) {
                IServing(servings[i]).deleteAccount(user, list[j]);
                providers.remove(KeySet.toKey(list[j]));
            }
        }
        users.remove(KeySet.toKey(user));
        delete ledgerByUser[user];
    }

    function addProvider(address serving, address provider) private {
        KeySet.Set storage providers = providersOf[msg.sender][serving];
        if (providers.length() >= MAX_PROVIDERS_PER_USER_PER_SERVICE) {
            revert TooManyProvidersForService(providers.length(), MAX_PROVIDERS_PER_USER_PER_SERVICE);
        }
        providers.add(KeySet.toKey(provider));
    }

    function move(Ledger storage ledger, address serving, uint256 amount, bytes memory call) private {
        if (ledger.availableBalance < amount) {
            revert InsufficientAvailableBalance(ledger.availableBalance, amount);
        }
        ledger.availableBalance -= amount;
        (bool success, ) = serving.call{value: amount}(call);
        if (!success) revert CallFailed();
    }
}
