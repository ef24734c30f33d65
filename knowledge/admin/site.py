"""The one form where an administrator decides about the site as a whole."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from knowledge.admin.display import STYLESHEET
from knowledge.logo import BadLogo, Logo, read_logo
from knowledge.site import SiteSettings

# Django's own classes take type arguments in the stubs only.
if TYPE_CHECKING:
    _SiteAdmin = admin.ModelAdmin[SiteSettings]
    _SiteForm = forms.ModelForm[SiteSettings]
else:
    _SiteAdmin = admin.ModelAdmin
    _SiteForm = forms.ModelForm


class SiteSettingsForm(_SiteForm):
    new_logo = forms.FileField(
        label=_("new logo"),
        required=False,
        help_text=_("PNG, JPEG, WebP or GIF, up to 1024 KiB. Shown 40 pixels high beside the name."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,image/gif"}),
    )
    remove_logo = forms.BooleanField(label=_("remove the logo"), required=False)

    class Meta:
        model = SiteSettings
        fields = "__all__"
        widgets = {"widget_hosts": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "phone": _(
                "Shown on every page. Empty: the number of the installation (CONTACT_PHONE), if it has one."
            )
        }

    def clean_new_logo(self) -> Logo | None:
        file = self.cleaned_data.get("new_logo")
        if not file:
            return None
        try:
            return read_logo(file)
        except BadLogo as error:
            raise forms.ValidationError(str(error)) from error

    def save(self, commit: bool = True) -> SiteSettings:
        logo: Logo | None = self.cleaned_data.get("new_logo")
        site = self.instance
        if logo is not None:
            site.logo, site.logo_digest = logo.data, logo.digest
            site.logo_width, site.logo_height = logo.width, logo.height
        elif self.cleaned_data.get("remove_logo"):
            site.logo, site.logo_digest, site.logo_width, site.logo_height = None, "", 0, 0
        site.pk = 1
        return super().save(commit)


@admin.register(SiteSettings)
class SiteSettingsAdmin(_SiteAdmin):
    form = SiteSettingsForm
    readonly_fields = ("present_logo",)
    fieldsets = (
        (None, {"fields": ("name", ("greeting_de", "greeting_en"), "german_address")}),
        (
            _("Looks"),
            {"fields": ("present_logo", "new_logo", "remove_logo", ("accent_light", "accent_dark"))},
        ),
        (
            _("When people are there"),
            {
                "fields": (
                    "phone",
                    ("monday", "tuesday", "wednesday", "thursday"),
                    ("friday", "saturday", "sunday"),
                    "hours_note_de",
                    "hours_note_en",
                ),
                "description": _(
                    "Local time, such as 9–12, 13–17:30. An empty day is a day when nobody is there; with all of them "
                    "empty, no hours are shown."
                ),
            },
        ),
        (_("Widget"), {"fields": ("widget_hosts",)}),
        (_("Articles"), {"fields": ("review_months",)}),
    )

    class Media:
        css = STYLESHEET

    def get_queryset(self, request: HttpRequest) -> QuerySet[SiteSettings]:
        return super().get_queryset(request).defer("logo")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not SiteSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one row, so a list would be a detour."""
        stored = SiteSettings.objects.only("pk").first()
        if stored is None and self.has_add_permission(request):
            return HttpResponseRedirect(reverse("admin:knowledge_sitesettings_add"))
        if stored is not None and self.has_view_or_change_permission(request):
            return HttpResponseRedirect(reverse("admin:knowledge_sitesettings_change", args=[stored.pk]))
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("logo"))
    def present_logo(self, site: SiteSettings) -> str | SafeString:
        if not site.logo_url:
            return "–"
        width, height = site.logo_size
        return format_html('<img src="{}" width="{}" height="{}" alt="">', site.logo_url, width, height)
