"""Addresses of sign-in, of the own account and of tokens.

Of allauth's headless routes only those that exist here: sign in, sign out, change the password. Sign-up and the routes
that would send mail are not mounted.
"""

from allauth.headless.account import views as sign_in
from allauth.headless.base.views import ConfigView
from allauth.headless.constants import Client
from django.urls import URLPattern, path

from controlplane.accounts import views

_AUTH = "auth/browser/v1"
urlpatterns: list[URLPattern] = [
    path(f"{_AUTH}/config", ConfigView.as_api_view(client=Client.BROWSER)),
    path(f"{_AUTH}/auth/session", sign_in.SessionView.as_api_view(client=Client.BROWSER)),
    path(f"{_AUTH}/auth/login", sign_in.LoginView.as_api_view(client=Client.BROWSER)),
    path(f"{_AUTH}/account/password/change", sign_in.ChangePasswordView.as_api_view(client=Client.BROWSER)),
    path("me/", views.MeView.as_view()),
    path("me/rights/", views.RightsView.as_view()),
    path("tokens/", views.TokensView.as_view()),
    path("tokens/<uuid:id>/", views.TokenView.as_view()),
]
