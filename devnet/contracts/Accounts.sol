// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Account, IInferenceServing} from "./IInferenceServing.sol";
import {KeySet} from "./KeySet.sol";

/// @notice The sub-accounts and their listings: all, of one user, of one provider.
library Accounts {
    using KeySet for KeySet.Set;

    struct Store {
        KeySet.Set all;
        mapping(address => KeySet.Set) ofUser;
        mapping(address => KeySet.Set) ofProvider;
        mapping(bytes32 => Account) records;
    }

    function exists(Store storage store, address user, address provider) internal view returns (bool) {
        return store.all.contains(keyOf(user, provider));
    }

    function get(
        Store storage store,
        address user,
        address provider
    ) internal view returns (Account storage) {
        if (!exists(store, user, provider)) revert IInferenceServing.AccountNotExists(user, provider);
        return store.records[keyOf(user, provider)];
    }

    /// @notice Open a sub-account. If there was one before, its nonce and generation carry on.
    function open(
        Store storage store,
        address user,
        address provider,
        string memory additionalInfo
    ) internal returns (Account storage account) {
        if (user == provider) revert IInferenceServing.ProviderCannotBeUser();
        if (exists(store, user, provider)) revert IInferenceServing.AccountExists(user, provider);
        bytes32 key = keyOf(user, provider);
        store.all.add(key);
        store.ofUser[user].add(key);
        store.ofProvider[provider].add(key);
        account = store.records[key];
        account.user = user;
        account.provider = provider;
        account.additionalInfo = additionalInfo;
    }

    /// @notice Take an empty sub-account off the lists. Nonce and generation stay, so that neither an
    /// old settlement nor a key of an old generation comes back to life; the revoked bits are lost.
    function close(Store storage store, address user, address provider) internal {
        Account storage account = get(store, user, provider);
        assert(account.balance == 0); // the ledger closes sub-accounts only when its total is zero
        delete account.refunds;
        delete account.additionalInfo;
        delete account.acknowledged;
        delete account.validRefundsLength;
        delete account.revokedBitmap;
        bytes32 key = keyOf(user, provider);
        store.all.remove(key);
        store.ofUser[user].remove(key);
        store.ofProvider[provider].remove(key);
    }

    function page(
        Store storage store,
        KeySet.Set storage keys,
        uint256 offset,
        uint256 limit
    ) internal view returns (Account[] memory found) {
        bytes32[] memory chosen = keys.page(offset, limit);
        found = new Account[](chosen.length);
        for (uint256 i = 0; i < chosen.length; i++) found[i] = store.records[chosen[i]];
    }

    function keyOf(address user, address provider) private pure returns (bytes32) {
        return keccak256(abi.encode(user, provider));
    }
}
