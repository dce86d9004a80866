"""The administrators' page (/admin): documents, index, feedback, usage and audit, each a fragment that the script loads."""

from ui.pages.admin.frame import router

__all__ = ["router"]
