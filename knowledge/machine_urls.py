"""What machines fetch by itself: addresses without a language."""

from django.urls import path

from knowledge import looks

urlpatterns = [
    path("site/theme-<slug:version>.css", looks.theme, name="site_theme"),
    path("site/logo-<slug:digest>.png", looks.logo, name="site_logo"),
]
