"""Every address of the site. Pages live under /de/ and /en/; machines' addresses have no language.

"/" has no view on purpose: LocaleMiddleware redirects it to the visitor's language (cookie, then browser).
"""

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path, re_path

from assistant.mailroom.receiving import receive_mail
from helpcenter import views
from helpcenter.accounts.views import SignInView
from helpcenter.home import home
from knowledge.media import serve_picture
from knowledge.sitemaps import SITEMAPS, PageSitemap

urlpatterns = [
    path("admin/", include("helpcenter.accounts.urls")),  # before the admin's own way to sign in
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("inbound/mail/", receive_mail, name="receive-mail"),
    path("robots.txt", views.robots, name="robots"),
    path("", include("knowledge.machine_urls")),
    re_path(r"^media/articles/(?P<name>[0-9a-f]{40}\.(?:png|jpg|gif|webp))$", serve_picture, name="picture"),
    path(
        "sitemap.xml",
        sitemap,
        {"sitemaps": SITEMAPS | {"our_ai": PageSitemap("our_ai")}},
        name="sitemap",
    ),
    path("", include("assistant.widget.urls")),
    path("api/v1/", include("assistant.api.urls")),
    *i18n_patterns(
        path("login/", SignInView.as_view(), name="login"),
        path("logout/", LogoutView.as_view(), name="logout"),
        path("", home, name="home"),
        path("opensearch.xml", views.opensearch, name="opensearch"),
        path("", include("knowledge.urls")),
        path("", include("assistant.urls")),
        prefix_default_language=True,
    ),
]

handler400 = "helpcenter.views.bad_request"
handler403 = "helpcenter.views.permission_denied"
handler404 = "helpcenter.views.page_not_found"
handler429 = "helpcenter.views.too_many_requests"  # django-allauth's word for what it counts itself
handler500 = "helpcenter.views.server_error"
