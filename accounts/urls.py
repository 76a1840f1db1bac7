"""Resources of this app, below /<network>/account/."""

from django.urls import path

from accounts.views import (
    account,
    batches,
    demo_wallet,
    keys,
    provider_sessions,
    sign_in,
    transactions,
)

app_name = "accounts"
urlpatterns = [
    path("", account.account, name="account"),
    path("balances/", account.balances, name="balances"),
    path("history/", account.history, name="history"),
    path("refresh/", account.refreshing, name="refresh"),
    path("sign-in-message/", sign_in.message, name="sign-in-message"),
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("demo-wallet/", demo_wallet.relay, name="demo-wallet"),
    path("deposit/", transactions.deposit, name="deposit"),
    path("transfer/", transactions.transfer, name="transfer"),
    path("acknowledgement/", transactions.acknowledgement, name="acknowledgement"),
    path("retrieval/", transactions.retrieval, name="retrieval"),
    path("withdrawal/", transactions.withdrawal, name="withdrawal"),
    path("deletion/", transactions.deletion, name="deletion"),
    path("funding/", batches.funding, name="funding"),
    path("batches/<uuid:key>/", batches.show, name="batch"),
    path("batches/<uuid:key>/outcome/", batches.outcome, name="batch-outcome"),
    path("transactions/<uuid:key>/", transactions.show, name="transaction"),
    path("transactions/<uuid:key>/fee/", transactions.fee, name="fee"),
    path("transactions/<uuid:key>/outcome/", transactions.outcome, name="outcome"),
    path("sessions/<str:address>/prepare/", provider_sessions.prepare, name="session-prepare"),
    path("sessions/<str:address>/", provider_sessions.start, name="session-start"),
    path("sessions/<str:address>/end/", provider_sessions.end, name="session-end"),
    path("keys/", keys.page, name="keys"),
    path("keys/of/<str:address>/", keys.listing, name="key-list"),
    path("keys/of/<str:address>/prepare/", keys.prepare, name="key-prepare"),
    path("keys/of/<str:address>/elsewhere/", keys.elsewhere, name="key-elsewhere"),
    path("keys/of/<str:address>/revocation/", keys.revocation_of_all, name="key-revocation-all"),
    path("keys/<int:key>/", keys.seal, name="key-seal"),
    path("keys/<int:key>/removal/", keys.removal, name="key-removal"),
    path("keys/<int:key>/revocation/", keys.revocation, name="key-revocation"),
]
