// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// @notice A list of keys without duplicates that can be counted, indexed and taken from in O(1).
/// Removing a key moves the last one into its place, so positions are not stable.
library KeySet {
    struct Set {
        bytes32[] keys;
        mapping(bytes32 => uint256) place; // position + 1; 0 means absent
    }

    function add(Set storage set, bytes32 key) internal {
        if (contains(set, key)) return;
        set.keys.push(key);
        set.place[key] = set.keys.length;
    }

    function remove(Set storage set, bytes32 key) internal {
        uint256 place = set.place[key];
        if (place == 0) return;
        bytes32 last = set.keys[set.keys.length - 1];
        set.keys[place - 1] = last;
        set.place[last] = place;
        set.keys.pop();
        delete set.place[key];
    }

    function contains(Set storage set, bytes32 key) internal view returns (bool) {
        return set.place[key] != 0;
    }

    function length(Set storage set) internal view returns (uint256) {
        return set.keys.length;
    }

    /// @notice The keys of one page: at most `limit` of them from position `offset` on.
    function page(
        Set storage set,
        uint256 offset,
        uint256 limit
    ) internal view returns (bytes32[] memory keys) {
        uint256 total = set.keys.length;
        if (offset >= total) return new bytes32[](0);
        uint256 count = total - offset < limit ? total - offset : limit;
        keys = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) keys[i] = set.keys[offset + i];
    }

    function toKey(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function toAddress(bytes32 key) internal pure returns (address) {
        return address(uint160(uint256(key)));
    }

    /// @notice Read every key as an address.
    function addresses(Set storage set) internal view returns (address[] memory list) {
        list = new address[](set.keys.length);
        for (uint256 i = 0; i < list.length; i++) list[i] = toAddress(set.keys[i]);
    }
}
