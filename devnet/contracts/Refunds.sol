// SPDX-License-Identifier: UNLICENSED
pragma solidity 0.8.30;

import {Account, IInferenceServing, Refund} from "./IInferenceServing.sol";

/// @notice How money waits in a sub-account, comes free, or is taken while it waits.
library Refunds {
    uint256 internal constant MAX_OPEN = 5;

    /// @notice What is not waiting to be refunded.
    function free(Account storage account) internal view returns (uint256) {
        return account.balance - account.pendingRefund;
    }

    /// @notice Let everything that is free wait from now on. Returns the refund's index.
    function request(Account storage account) internal returns (uint256 index) {
        index = account.validRefundsLength;
        if (index >= MAX_OPEN) revert IInferenceServing.TooManyRefunds(account.user, account.provider);
        Refund memory added = Refund(index, free(account), block.timestamp, false);
        if (index < account.refunds.length) account.refunds[index] = added;
        else account.refunds.push(added);
        account.validRefundsLength = index + 1;
        account.pendingRefund += added.amount;
    }

    /// @notice Take out every refund whose lock time has passed; the others close ranks in order.
    function release(Account storage account, uint256 lockTime) internal returns (uint256 released) {
        uint256 active = account.validRefundsLength;
        uint256 kept = 0;
        for (uint256 i = 0; i < active; i++) {
            Refund memory refund = account.refunds[i];
            if (block.timestamp >= refund.createdAt + lockTime) {
                released += refund.amount;
                continue;
            }
            refund.index = kept;
            account.refunds[kept++] = refund;
        }
        account.validRefundsLength = kept;
        account.pendingRefund -= released;
        account.balance -= released;
    }

    /// @notice Make that much of what waits free again, from the youngest refund backwards.
    function cancel(Account storage account, uint256 amount) internal {
        account.pendingRefund -= amount;
        uint256 active = account.validRefundsLength;
        while (amount > 0) {
            Refund storage youngest = account.refunds[active - 1];
            if (youngest.amount > amount) {
                youngest.amount -= amount;
                break;
            }
            amount -= youngest.amount;
            active--;
        }
        account.validRefundsLength = active;
    }

    /// @notice Take a fee out of the sub-account: from what is free, then from what waits.
    function charge(Account storage account, uint256 fee) internal {
        uint256 spare = free(account);
        if (fee > spare) cancel(account, fee - spare);
        account.balance -= fee;
    }
}
