"""The views, in the order of the navigation. Each module has a NAME, which is its path, and a router.

A view gathers what it shows, has a pure function make values of it, and renders its template.
"""

from faultline.page.views import now

VIEWS = (now,)
