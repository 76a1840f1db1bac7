"""The site's settings for tests: a folder of their own, plain static files."""

import os
import tempfile

_folder = tempfile.mkdtemp(prefix="zg-tests-")
os.environ.update(VAR_DIR=_folder, DEBUG="1", NETWORKS="devnet,testnet", LOG_LEVEL="WARNING")

from config.settings import *  # noqa: E402, F403

MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("servestatic.")]  # noqa: F405
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_URL = "memory://"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # Threads share a file as in production; in memory, a reader would lock a writer out at once.
    DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/test.sqlite3"}  # noqa: F405
