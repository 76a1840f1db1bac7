// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// @notice One owner, who can hand the ownership on. The live contracts refuse strangers with these
/// texts instead of custom errors, so these do as well.
abstract contract Owned {
    address public owner;

    constructor(address firstOwner) {
        owner = firstOwner;
    }

    modifier onlyOwner() {
        require(msg.sender == owner, "Ownable: caller is not the owner");
        _;
    }

    function transferOwnership(address newOwner) external onlyOwner {
        require(newOwner != address(0), "Ownable: new owner is the zero address");
        owner = newOwner;
    }
}
