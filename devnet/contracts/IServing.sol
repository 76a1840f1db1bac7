// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

/// @notice What the ledger asks of a serving contract: it keeps the sub-accounts (user x provider)
/// that the ledger funds. Its ERC-165 id is the condition for registration.
interface IServing {
    function accountExists(address user, address provider) external view returns (bool);

    /// @notice Neuron of the sub-account that wait for their lock time to pass.
    function getPendingRefund(address user, address provider) external view returns (uint256);

    /// @notice Open a sub-account holding the value sent.
    function addAccount(address user, address provider, string memory additionalInfo) external payable;

    /// @notice Cancel that much of the pending refunds, youngest first, and add the value sent.
    function depositFund(address user, address provider, uint256 cancelRetrievingAmount) external payable;

    /// @notice Start the lock time for everything that is not waiting already.
    function requestRefundAll(address user, address provider) external;

    /// @notice Pay every refund whose lock time has passed to the ledger.
    function processRefund(
        address user,
        address provider
    ) external returns (uint256 totalAmount, uint256 balance, uint256 pendingRefund);

    /// @notice Forget an empty sub-account, except its nonce and its token generation.
    function deleteAccount(address user, address provider) external;
}

/// @notice The ERC-165 question.
interface IERC165 {
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}
