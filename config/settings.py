"""The one settings file: a fresh clone runs on the devnet with SQLite and no keys.

Every environment variable is read once, here, and listed in .env.example.
"""

from __future__ import annotations

from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config import queue
from config.environment import env_bool, env_int, env_json, env_list, env_secret, env_text
from zgcompute import networks as known_networks

# Where things are

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env_text("VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

# Which form: a laptop, or a public site behind a TLS proxy

HOSTED = env_bool("HOSTED", False)
DEBUG = env_bool("DEBUG", False)
SITE_NAME = "0G Compute"
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "" if HOSTED else "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
if HOSTED and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the site's host when HOSTED=1.")

# Secrets

SECRET_KEY = env_secret("SECRET_KEY", fallback=None if HOSTED else VAR_DIR / "secret_key")
TOKEN_KEY = env_secret("TOKEN_KEY", fallback=None if HOSTED else VAR_DIR / "token_key")
TOKEN_KEYS_RETIRED = env_list("TOKEN_KEYS_RETIRED")

# Networks: the first one is where / leads

NETWORKS_FILE = env_text("ZG_NETWORKS_FILE")
_known = known_networks.load(NETWORKS_FILE or None)
NETWORKS = {slug: _known[slug] for slug in env_list("NETWORKS", "devnet") if slug in _known}
_unknown = [slug for slug in env_list("NETWORKS", "devnet") if slug not in _known]
if _unknown or not NETWORKS:
    raise ImproperlyConfigured(f"NETWORKS names {_unknown}; known are {', '.join(_known)}.")
DEFAULT_NETWORK = next(iter(NETWORKS))
CONFIRMATIONS = env_int("CONFIRMATIONS", 2)
CHAIN_POLL_SECONDS = env_int("CHAIN_POLL_SECONDS", 2)

# The application

INSTALLED_APPS = [
    "marketplace",
    "accounts",
    "chat",
    "studio",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "config.apps.StaticFiles",
    "django_htmx",
    "servestatic",
    "heroicons",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "marketplace.middleware.CompressPages",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SeenBrowsers",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "marketplace.middleware.PrivatePages",
    "marketplace.middleware.ProblemPages",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "csp.context_processors.nonce",
                "marketplace.context.site",
                "accounts.context.wallet",
            ],
            "builtins": ["marketplace.templatetags.zg", "marketplace.templatetags.icons"],
        },
    }
]

# Data

DATABASES = {
    "default": dj_database_url.parse(
        env_text("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'site.sqlite3'}", conn_max_age=60
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis serves cache, queue and streams of a site with several processes; one process needs none

REDIS_URL = env_text("REDIS_URL")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}
QUEUE_DIR = VAR_DIR / "queue"
CELERY_BROKER_URL = REDIS_URL or f"{queue.SCHEME}://localhost//"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if not REDIS_URL:
    for folder in ("messages", "control"):
        (QUEUE_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "control_folder": str(QUEUE_DIR / "control"),
        "polling_interval": 0.05,
    }

# Who is signed in

AUTH_USER_MODEL = "accounts.Wallet"
AUTHENTICATION_BACKENDS = ["accounts.backends.SignedMessage"]
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "marketplace.problems.csrf_failure"

# Pages

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env_text("STATIC_ROOT", str(VAR_DIR / "static")))
STORAGES = {
    "default": {
        "BACKEND": env_text("FILES_BACKEND", "django.core.files.storage.FileSystemStorage"),
        "OPTIONS": env_json("FILES_OPTIONS", {"location": str(VAR_DIR / "files")}),
    },
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "config.static.SiteStaticFiles"
        )
    },
}
SERVESTATIC_USE_FINDERS = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# Security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],  # a recording is played before it is sent
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
if HOSTED:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# Whether sub-domains and browsers' preload lists take part is for the owner of the domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOG_LEVEL = env_text("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"httpx": {"level": "WARNING"}},  # it logs whole URLs, and an RPC URL may hold a key
}
