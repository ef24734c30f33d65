"""All settings, in one place, read from the environment (and from `.env` beside manage.py).

Every value has a default that works on one machine with nothing else installed. A bad value stops
start-up with the variable's name, what was found and what is allowed.
"""

import os
import secrets
from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from environs import Env, EnvError, validate

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(str(BASE_DIR / ".env"), recurse=False)


def _read(reader: str, name: str, default: Any, **options: Any) -> Any:
    """One environment variable through environs; its error becomes one sentence that names the variable."""
    try:
        return getattr(env, reader)(name, default, **options)
    except (EnvError, ValueError) as error:
        found = os.environ.get(name, "")
        shown = (
            found
            if "PASSWORD" not in name and "://" not in found and "SECRET" not in name and "KEY" not in name
            else "a value"
        )
        raise ImproperlyConfigured(f"{name}: found {shown!r}. {error}") from error


def _secret(name: str) -> str:
    """A secret from NAME, or from the file that NAME_FILE names, as container engines hand them over."""
    path = _read("str", f"{name}_FILE", "")
    if not path:
        return str(_read("str", name, ""))
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read ({type(error).__name__}).") from error


def _generated_secret_key(path: Path) -> str:
    """A key of this instance's own, made once. Several machines must share one through SECRET_KEY."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


# --- where everything lives -------------------------------------------------------------------------
DATA_DIR = Path(_read("str", "DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"DATA_DIR: {DATA_DIR} cannot be created ({error.strerror}).") from error
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_URL = "/media/"
STATIC_ROOT = Path(_read("str", "STATIC_ROOT", str(DATA_DIR / "static")))
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "helpcenter" / "static"]
INDEX_DIR = DATA_DIR / "index"  # Chroma's folder and the lock that names its owner

# --- web --------------------------------------------------------------------------------------------
DEBUG = _read("bool", "DEBUG", False)
SECRET_KEY = _read("str", "SECRET_KEY", "") or _generated_secret_key(DATA_DIR / "secret_key")
ALLOWED_HOSTS = _read("list", "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = _read("list", "CSRF_TRUSTED_ORIGINS", [])
SITE_URL = _read("str", "SITE_URL", "http://localhost:8000").rstrip("/")  # for links in e-mails and sitemaps
SITE_NAME = _read("str", "SITE_NAME", "Help center")
HTTPS = _read("bool", "HTTPS", False)  # set in production: secure cookies, HSTS, redirect to https
if HTTPS:
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = _read("int", "HSTS_SECONDS", 31_536_000, validate=validate.Range(min=0))
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "helpcenter.views.csrf_failure"
# Of people, for pages that have to do without the database: the only way to them while it is away.
CONTACT_EMAIL = _read("str", "CONTACT_EMAIL", "")
CONTACT_PHONE = _read("str", "CONTACT_PHONE", "")
# Scripts run by their nonce alone, so that no file of ours can be turned against a page, and nothing is asked of
# anybody else. helpcenter.middleware has the exceptions for the administration and the API's documentation.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "upgrade-insecure-requests": HTTPS,
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes; a question has 2 000 characters

INSTALLED_APPS = [
    "helpcenter.apps.HelpcenterConfig",
    "assistant.apps.AssistantConfig",
    "knowledge.apps.KnowledgeConfig",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "helpcenter.apps.HelpcenterAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "helpcenter.middleware.PolicyMiddleware",
    "assistant.abuse.middleware.flood_guard",  # before anything that costs
    "helpcenter.middleware.SiteMiddleware",
    "helpcenter.middleware.BodyLimitMiddleware",
    "assistant.widget.middleware.WidgetMiddleware",  # outside the sessions, which the widget does without
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "assistant.abuse.middleware.AbuseMiddleware",  # knows the account and the language, runs before the view
    "helpcenter.accounts.middleware.SecondFactorMiddleware",
]
ROOT_URLCONF = "helpcenter.urls"
WSGI_APPLICATION = "helpcenter.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "helpcenter.context.site",
            ],
        },
    },
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Names with a content hash, made by collectstatic. Without them (tests, runserver) plain names do.
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _read("bool", "STATIC_MANIFEST", True) and not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # the widget's pages set no cookie
WIDGET_DEMO = _read("bool", "WIDGET_DEMO", False)  # serves /widget/demo/

# --- database ---------------------------------------------------------------------------------------
DATABASES = {
    "default": _read("dj_db_url", "DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}"),
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL lets readers go on while one process writes; IMMEDIATE takes the write lock at BEGIN, where the
    # time-out applies, instead of failing half-way through a transaction.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,  # seconds; two waits in one request still end within 10
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A new connection reads the whole schema: 1.7 ms of each request. And the last one to close copies the log back.
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    # A file, not memory: threads of a test then meet the same locks as in production.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options["pool"] = {
        "min_size": 0,
        "max_size": 16,  # for 8 requests, 3 questions decided beside them, the sweeps and /readyz
        "timeout": 5,  # seconds that a request waits for one
        # Seconds after which the pool gives up on a connection and the next request tries a new one. Its own five
        # minutes come with ever longer pauses: after an outage of 75 s it was 37 s until the first answer.
        "reconnect_timeout": 5,
    }
    _options["options"] = (
        f"{_options.get('options', '')} -c lock_timeout=5s".strip()
    )  # as long as SQLite waits
    # Connections that a restarted server or a firewall has cut are replaced before a request meets them.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- language and time ------------------------------------------------------------------------------
LANGUAGES = [("de", _("German")), ("en", _("English"))]
LANGUAGE_CODE = _read("str", "LANGUAGE_CODE", "en", validate=validate.OneOf(["de", "en"]))
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = _read("str", "TIME_ZONE", "Europe/Berlin")
USE_I18N = USE_TZ = True
FORMAT_MODULE_PATH = "helpcenter.formats"

# --- people -----------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"
# A second factor for staff (docs/operations.md): off, optional (whoever has one is asked for it) or required.
STAFF_MFA = _read("str", "STAFF_MFA", "optional", validate=validate.OneOf(["off", "optional", "required"]))
PASSWORD_RESET_TIMEOUT = 4 * 3600  # seconds from when the mail leaves
AUTHENTICATION_BACKENDS = ["helpcenter.accounts.backend.AccountBackend"]
# django-allauth, of which helpcenter.accounts uses signing in and the second factor.
ACCOUNT_ADAPTER = "helpcenter.accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "helpcenter.accounts.forms.SignInForm",
    "reauthenticate": "helpcenter.accounts.forms.PasswordAgainForm",
    "reset_password": "helpcenter.accounts.forms.ForgottenPasswordForm",
    "reset_password_from_key": "helpcenter.accounts.forms.NewPasswordForm",
}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"  # administrators enter the addresses
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USER_DISPLAY = str
# Of one account in one process, and of one client; the budget "sign_in" stands in front of all of it.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "reset_password": "5/m/key"}
MFA_ADAPTER = "helpcenter.accounts.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "helpcenter.accounts.forms.CodeForm",
    "reauthenticate": "helpcenter.accounts.forms.CodeAgainForm",
    "activate_totp": "helpcenter.accounts.forms.FirstCodeForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # half a minute that a phone's clock may be wrong, to either side
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are not ours to verify
SIMPLE_HISTORY_HISTORY_ID_USE_UUID = False

# --- the index --------------------------------------------------------------------------------------
CHROMA_URL = _read("str", "CHROMA_URL", "")
EMBEDDING_MODEL = _read("str", "EMBEDDING_MODEL", "minilm-de-en")
EMBEDDING_DEVICE = _read("str", "EMBEDDING_DEVICE", "cpu", validate=validate.OneOf(["cpu", "cuda", "auto"]))
EMBEDDING_THREADS = _read("int", "EMBEDDING_THREADS", 0, validate=validate.Range(min=0))  # 0: torch decides
RERANKER_MODEL = _read("str", "RERANKER_MODEL", "")  # empty: the order of the mix stays
RERANKER_SECONDS = _read(
    "float", "RERANKER_SECONDS", 0.5, validate=validate.Range(min=0, max=5)
)  # for each look; then the order stays
# A cross-encoder for natural language inference, beside the rules: generated answers, advice to editors.
GROUNDING_MODEL = _read("str", "GROUNDING_MODEL", "")
GROUNDING_SECONDS = _read(
    "float", "GROUNDING_SECONDS", 1.0, validate=validate.Range(min=0, max=1.5)
)  # an answer
GROUNDING_ENTAILMENT = _read(
    "float", "GROUNDING_ENTAILMENT", 0.5, validate=validate.Range(min=0, max=1)
)  # probability below which a sentence does not follow from its quote
GROUNDING_LANGUAGES = _read(
    "list",
    "GROUNDING_LANGUAGES",
    ["de", "en"],
    validate=validate.ContainsOnly(["de", "en"], error="Allowed: de, en, or both with a comma."),
)  # that it reads
# A question that was asked of the old index has to end before its passages may go.
RETIRED_INDEX_SECONDS = _read("int", "RETIRED_INDEX_SECONDS", 600, validate=validate.Range(min=0))
# Hubs are asked only when a hub model is configured; knowledge.embeddings decides which that is.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# torch's threads spin while they wait for one another, which costs where the cores have other work to do. Measured
# on two busy cores: 192 passages 16.1 s spinning and 6.5 s not, the slowest of 60 questions 488 ms and 12 ms.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# --- answering --------------------------------------------------------------------------------------
ANSWER_WRITER = _read("str", "ANSWER_WRITER", "extractive")
# Of a chat model; none of these counts for extractive answers (docs/grounding.md).
WRITER_BASE_URL = _read("str", "WRITER_BASE_URL", "")  # empty: the provider's own
WRITER_API_KEY = _secret("WRITER_API_KEY")  # empty: what the provider's package finds by itself
# Seconds for all that is asked of a model for one question. A request has ten in all.
WRITER_SECONDS = _read("float", "WRITER_SECONDS", 8.0, validate=validate.Range(min=1, max=8))
WRITER_TEMPERATURE = _read("float", "WRITER_TEMPERATURE", 0.0, validate=validate.Range(min=0, max=2))
WRITER_MAX_TOKENS = _read("int", "WRITER_MAX_TOKENS", 800, validate=validate.Range(min=50, max=8000))
WRITER_OUTPUT = _read(
    "str", "WRITER_OUTPUT", "auto", validate=validate.OneOf(["auto", "structured", "text"])
)  # auto: structured where the server takes a schema
WRITER_TOKENS_PER_DAY = _read("int", "WRITER_TOKENS_PER_DAY", 1_000_000, validate=validate.Range(min=0))
WRITER_COST_PER_DAY = _read(
    "float", "WRITER_COST_PER_DAY", 0.0, validate=validate.Range(min=0)
)  # 0: no limit
# For a million tokens, in whatever currency the limit is in.
WRITER_PRICE_INPUT = _read("float", "WRITER_PRICE_INPUT", 0.0, validate=validate.Range(min=0))
WRITER_PRICE_OUTPUT = _read("float", "WRITER_PRICE_OUTPUT", 0.0, validate=validate.Range(min=0))
CONFIDENCE_FILE = _read("str", "CONFIDENCE_FILE", "")  # empty: the coefficients shipped with the project

# --- background work: no broker means that tasks run inline, on the same code path --------------------
CELERY_BROKER_URL = _read("str", "CELERY_BROKER_URL", "")
CELERY_BROKER_WRITE_URL = (
    CELERY_BROKER_URL or "memory://localhost/"
)  # unset, Celery would look for RabbitMQ here
CELERY_TASK_ALWAYS_EAGER = not CELERY_BROKER_URL
# A task belongs to the queue until it is done: a killed worker's comes back. Every task may run twice.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
# Processes, because only a process can be ended by a time limit; Celery's threads run on regardless. The model
# and the Chroma client are made after the fork, in the child that needs them.
CELERY_WORKER_POOL = "prefork"
CELERY_TASK_TIME_LIMIT = 600  # seconds; tasks may set less
CELERY_TASK_SOFT_TIME_LIMIT = 540  # seconds
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Seconds after which Redis gives an unfinished task to somebody else. A retry waits for its countdown in a
    # worker, then for a free process, then runs: all three have to end before, or it runs twice at once.
    "visibility_timeout": 3600,
    # A broker that was cut off without a word costs one visitor this, twice, and not for ever. Workers, which listen
    # for one second at a time, give it longer (helpcenter.celery).
    "socket_connect_timeout": 2.0,
    "socket_timeout": 2.0,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # the broker may be away for a night
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # they are nearly done, and may run twice
CELERY_WORKER_CONSUMER = "helpcenter.celery_parts:ReturningConsumer"
CELERY_BEAT_SCHEDULER = "helpcenter.celery_parts:SparingScheduler"  # keeps no file: all is due at a start
CELERY_BEAT_ENABLE_REMOTE_CONTROL = True  # `celery inspect ping` reaches beat as well
CELERY_BEAT_SCHEDULE = {  # seconds; a wake-up that nobody took by then is not worth taking
    "sweep": {"task": "knowledge.sweep", "schedule": 2.0, "options": {"expires": 2.0}},
    "build-index": {"task": "knowledge.build_index", "schedule": 5.0, "options": {"expires": 5.0}},
    "compare-index": {"task": "knowledge.compare_index", "schedule": 5.0, "options": {"expires": 5.0}},
    "repair-index": {"task": "knowledge.repair_index", "schedule": 60.0, "options": {"expires": 60.0}},
    "keep-dates": {"task": "knowledge.keep_dates", "schedule": 5.0, "options": {"expires": 5.0}},
    "send-mail": {"task": "assistant.send_due_mail", "schedule": 30.0, "options": {"expires": 30.0}},
    "forget-budgets": {
        "task": "assistant.forget_full_budgets",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "desk": {"task": "assistant.keep_desk_rules", "schedule": 30.0, "options": {"expires": 30.0}},
    "settle": {"task": "assistant.settle_interrupted", "schedule": 30.0, "options": {"expires": 30.0}},
    "resume-replays": {"task": "assistant.resume_replays", "schedule": 30.0, "options": {"expires": 30.0}},
    "webhooks": {"task": "assistant.deliver_due_webhooks", "schedule": 30.0, "options": {"expires": 30.0}},
    "hand-offs": {"task": "assistant.hand_over_due", "schedule": 30.0, "options": {"expires": 30.0}},
    "read-mail": {"task": "assistant.process_due_mail", "schedule": 30.0, "options": {"expires": 30.0}},
    "gaps": {"task": "assistant.look_for_gaps", "schedule": 60.0, "options": {"expires": 60.0}},
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}

# --- e-mail: unset, messages are written to files under DATA_DIR, so that none is lost ----------------
_email = _read("dj_email_url", "EMAIL_URL", "file://")
if "EMAIL_BACKEND" not in _email:
    raise ImproperlyConfigured(
        "EMAIL_URL: unknown scheme. Allowed: submission://user:password@host:587 (STARTTLS), "
        "smtps://user:password@host:465, smtp://host:25, file:// (written to DATA_DIR/mail), consolemail://."
    )
for _name, _value in _email.items():
    globals()[_name] = _value
if EMAIL_BACKEND.endswith("filebased.EmailBackend"):  # type: ignore[name-defined]  # noqa: F821
    EMAIL_FILE_PATH = _email.get("EMAIL_FILE_PATH") or str(DATA_DIR / "mail")
EMAIL_TIMEOUT = _read("int", "EMAIL_TIMEOUT", 10, validate=validate.Range(min=1))  # seconds
DEFAULT_FROM_EMAIL = _read("str", "DEFAULT_FROM_EMAIL", "help@localhost")

# --- e-mail that comes in (assistant.mailroom); nothing set: none does -------------------------------------
MAIL_ADDRESS = _read("str", "MAIL_ADDRESS", "")  # such as help@example.org; replies go to help+…@example.org
# Between an address and its tag; "none" where the mail server knows no such addresses: then replies go to
# MAIL_ADDRESS itself and are known by the mails that they answer.
MAIL_TAG_SEPARATOR = _read("str", "MAIL_TAG_SEPARATOR", "+", validate=validate.OneOf(["+", "-", "=", "none"]))
# Name under which our own mail server writes Authentication-Results; empty: nothing is known about senders.
MAIL_AUTHSERV_ID = _read("str", "MAIL_AUTHSERV_ID", "")
MAIL_MAX_MB = _read("int", "MAIL_MAX_MB", 25, validate=validate.Range(min=1, max=100))
MAIL_SENDER_PER_HOUR = _read("int", "MAIL_SENDER_PER_HOUR", 20, validate=validate.Range(min=1))
MAIL_WEBHOOK_SECRETS = _secret("MAIL_WEBHOOK_SECRET").split()  # the newest first, while one replaces another
WEBHOOK_PRIVATE_HOSTS = [  # names in an internal network that webhooks may go to, also by http://
    name.lower() for name in _read("list", "WEBHOOK_PRIVATE_HOSTS", [])
]
# Another help desk in which tickets are opened as well (assistant.hooks.handing_over).
HANDOFF_TO = _read("str", "HANDOFF_TO", "", validate=validate.OneOf(["", "zammad", "zendesk"]))
HANDOFF_URL = _read("str", "HANDOFF_URL", "").rstrip("/")  # such as https://example.zendesk.com
HANDOFF_USER = _read("str", "HANDOFF_USER", "")  # the agent's e-mail address, for Zendesk alone
HANDOFF_TOKEN = _secret("HANDOFF_TOKEN")
HANDOFF_GROUP = _read("str", "HANDOFF_GROUP", "Users")  # the group of new tickets, for Zammad alone
HANDOFF_ALL = _read("bool", "HANDOFF_ALL", False) and bool(
    HANDOFF_TO
)  # each new ticket, not only those chosen
if HANDOFF_TO and not (HANDOFF_URL and HANDOFF_TOKEN and (HANDOFF_USER or HANDOFF_TO == "zammad")):
    raise ImproperlyConfigured(
        f"HANDOFF_TO: {HANDOFF_TO!r} needs HANDOFF_URL and HANDOFF_TOKEN (or HANDOFF_TOKEN_FILE), and Zendesk "
        "HANDOFF_USER as well."
    )
IMAP_URL = _secret("IMAP_URL")  # imaps://user@host/INBOX?done=Archive
IMAP_PASSWORD = _secret("IMAP_PASSWORD")
IMAP_SECONDS = _read("float", "IMAP_SECONDS", 60.0, validate=validate.Range(min=5))  # between two visits
if IMAP_URL:
    CELERY_BEAT_SCHEDULE["fetch-mail"] = {
        "task": "assistant.fetch_mail",
        "schedule": IMAP_SECONDS,
        "options": {"expires": IMAP_SECONDS},
    }

# --- abuse: what one client, and all of them together, may ask for (assistant.abuse) ------------------
ABUSE_PROTECTION = _read("bool", "ABUSE_PROTECTION", True)  # off: nothing below limits anybody (load tests)
_rate = validate.Regexp(
    r"([1-9]\d{0,8}/([1-9]\d{0,4})?(s|sec|m|min|h|hour|d|day)|off)\Z",
    error="Allowed: a number and a period, such as 20/min, 100/10s or 1000/day, or off.",
)
BUDGETS = {  # a client's and the site's; pages, widget and API count together, in all processes
    "questions": (
        _read("str", "BUDGET_QUESTIONS", "10/10s", validate=_rate),
        _read("str", "SITE_BUDGET_QUESTIONS", "600/min", validate=_rate),
    ),
    "search": (
        _read("str", "BUDGET_SEARCH", "10/20s", validate=_rate),
        _read("str", "SITE_BUDGET_SEARCH", "1200/min", validate=_rate),
    ),
    "suggestions": (  # while somebody types
        _read("str", "BUDGET_SUGGESTIONS", "60/20s", validate=_rate),
        _read("str", "SITE_BUDGET_SUGGESTIONS", "6000/min", validate=_rate),
    ),
    "feedback": (
        _read("str", "BUDGET_FEEDBACK", "30/min", validate=_rate),
        _read("str", "SITE_BUDGET_FEEDBACK", "600/min", validate=_rate),
    ),
    "tickets": (
        _read("str", "BUDGET_TICKETS", "20/hour", validate=_rate),
        _read("str", "SITE_BUDGET_TICKETS", "120/min", validate=_rate),
    ),
    # Calls of a language model; the site's budget of them is WRITER_TOKENS_PER_DAY.
    "model": (_read("str", "BUDGET_MODEL", "200/day", validate=_rate), "off"),
    # A budget of the site would let anybody lock out everybody.
    "sign_in": (
        _read("str", "BUDGET_SIGN_IN", "20/10min", validate=_rate),
        _read("str", "SITE_BUDGET_SIGN_IN", "off", validate=_rate),
    ),
}
# All requests but static files, 5 a second from the processes of one gunicorn together, in each with room for a burst.
BUDGET_REQUESTS = _read("str", "BUDGET_REQUESTS", "20/4s", validate=_rate)
# Of one client, in each process; searches count as well. Its threads (8 as shipped) are there for the others as well.
QUESTIONS_AT_ONCE = _read("int", "QUESTIONS_AT_ONCE", 3, validate=validate.Range(min=1))
# How many proxies in front add to X-Forwarded-For. With 0 that header, which anybody sends, is not read. With HTTPS
# there is one: somebody ends the encryption.
NUM_PROXIES = _read("int", "NUM_PROXIES", int(HTTPS), validate=validate.Range(min=0))
# Seconds within which nobody has read and filled in a form; 0 switches this and the honeypot off.
FORM_SECONDS = _read("float", "FORM_SECONDS", 2.0, validate=validate.Range(min=0, max=60))

# --- API --------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "assistant.api.errors.handle",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Help center API",
    "DESCRIPTION": "Questions answered from articles with citations and a calibrated confidence, or a ticket.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "TicketReason": "assistant.models.TicketReason",
        "FeedbackReason": "assistant.models.FeedbackReason",
        "TicketStatus": "assistant.models.TicketStatus",
        "QuestionStatus": "assistant.models.QuestionStatus",
        "MessageAuthor": "assistant.models.MessageAuthor",
    },
    # Without validatorUrl the page would show its document to a server of somebody else.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None, "defaultModelsExpandDepth": 0},
}

# --- logs carry ids, counts and durations; never question or article text ------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": _read("str", "LOG_LEVEL", "WARNING")},
}
