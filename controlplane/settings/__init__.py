"""Django's settings. What differs by installation comes from `installation.py`; the rest is the same everywhere."""

import os
from typing import Any

import dj_database_url

from controlplane.settings import installation, logs

HERE = installation.read(os.environ)

LONGSHORE_URL = HERE.url
LONGSHORE_DATA = HERE.data
LONGSHORE_PORT = HERE.port
LONGSHORE_VERSION = "0.1.0"
# the code that this process was started from, where scripts/up says: a page that came from another one is out of date
LONGSHORE_BUILD = "+".join(filter(None, [LONGSHORE_VERSION, os.environ.get("LONGSHORE_CODE", "")]))
REDIS_URL = HERE.redis_url

DEBUG = HERE.debug
SECRET_KEY = HERE.secret_keys[0]
SECRET_KEY_FALLBACKS = list(HERE.secret_keys[1:])

# --- composition ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "controlplane.common",
    "controlplane.audit",
    "controlplane.accounts",
    "controlplane.hosts",
    "controlplane.orders",
    "controlplane.containers",
    "controlplane.images",
    "controlplane.networks",
    "controlplane.volumes",
    "controlplane.telemetry",
    "controlplane.overview",
    "controlplane.registry",
]
MIDDLEWARE = [
    "controlplane.common.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "controlplane.urls"
ASGI_APPLICATION = "controlplane.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- records ----------------------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(HERE.database_url, conn_max_age=60, conn_health_checks=True)
    if HERE.database_url
    else {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HERE.data / "longshore.sqlite3",
        # A file, as in life: Django's usual memory database knows no second process and no waiting for a lock.
        "TEST": {"NAME": HERE.data / "test.sqlite3"},
        "OPTIONS": {
            # A transaction that reads, then writes, would otherwise fail as "locked" as soon as two processes do it.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        },
    }
}
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "longshore",
    }
}
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = None

# --- who may come in --------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "controlplane.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # accounts/throttle.py counts in the database: one counter for all processes
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ("browser",)

ALLOWED_HOSTS = sorted({HERE.host, "127.0.0.1", "localhost", "[::1]"})
CSRF_TRUSTED_ORIGINS = [HERE.url]
CSRF_FAILURE_VIEW = "controlplane.common.problems.csrf_failure"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HERE.secure
SECURE_HSTS_SECONDS = 31_536_000 if HERE.secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HERE.secure
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
_SOCKETS = HERE.url.replace("http", "ws", 1)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        # xterm, Mantine and CodeMirror write style elements and take no nonce.
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", _SOCKETS],
        "worker-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["controlplane.accounts.authentication.Authentication"],
    "DEFAULT_PERMISSION_CLASSES": ["controlplane.common.permissions.HasRight"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["controlplane.common.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "controlplane.common.schema.Schema",
    "EXCEPTION_HANDLER": "controlplane.common.problems.handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,  # `?format=` belongs to the views
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}
# The trail builds on `common`, so the base view reaches it by name.
LONGSHORE_TRAIL = "controlplane.audit.services.entry_add"
SPECTACULAR_SETTINGS = {
    "TITLE": "Longshore",
    "DESCRIPTION": "Run containers on many hosts from one place.",
    "VERSION": LONGSHORE_VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "HostStateEnum": "controlplane.hosts.models.HostState",
        "OrderStateEnum": "controlplane.orders.models.OrderState",
        "ContainerStateEnum": "controlplane.containers.models.ContainerState",
        "PresenceEnum": "controlplane.volumes.models.Volume.State",
        "HealthStatusEnum": ["ok", "degraded", "failed"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "controlplane.common.schema.problems_everywhere",
    ],
}

# --- files of the dashboard -------------------------------------------------------------------------------------------
FRONTEND_DIST = installation.PROJECT / "frontend" / "dist"
STATIC_URL = "/static/"
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/.+-[\w-]{8}\.(js|css)$"  # Vite puts a hash into their names
WHITENOISE_ROOT = FRONTEND_DIST if FRONTEND_DIST.is_dir() else None

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logs.dict_config(os.environ.get("LONGSHORE_LOG_LEVEL", "INFO"))
logs.configure()
