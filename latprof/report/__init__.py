"""How answers are shown.

Every renderer takes the answer as the dict that ``--json`` prints, so a report can be made again
from a saved answer: `html.render_html`, `text.render_text`, `markdown.render_markdown`.
"""
