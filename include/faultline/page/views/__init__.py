"""The views, in the order of the navigation. Each module has a NAME, which is its path, and a router.

A view gathers what it shows, has pure functions make values of it, and renders its template. Its words are in every
table of ``texts``. What is to renew itself is in one element with ``data-refresh``, in which whatever can be opened has
an id; a form with POST has the macro ``token``; a chart is a figure with ``data-chart``, as ``page.js`` says.
"""

from faultline.page.views import errors, history, now, pipeline, rules, search

VIEWS = (now, errors, pipeline, search, rules, history)
