"""A run for people: one self-contained page (`html`), Markdown (`markdown`) and a table for a spreadsheet (`sheet`)."""

from pathlib import Path

from eval.files import write_whole
from eval.report.html import page
from eval.report.markdown import markdown
from eval.report.sheet import sheet
from eval.runs import Run


def write_reports(run: Run) -> tuple[Path, ...]:
    """Writes report.html, report.md and report.csv into the run's folder and gives their paths."""
    made = {"report.html": page(run), "report.md": markdown(run), "report.csv": sheet(run)}
    for name, text in made.items():
        write_whole(run.folder / name, text)
    return tuple(run.folder / name for name in made)
