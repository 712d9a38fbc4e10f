"""The documents that the tests of `ilab-documents` convert, in every format that is read.

Pinned: python-docx 1.2.0, python-pptx 1.0.2, reportlab 5.1.0, pypdf 7.1.1, cryptography 50.0.2, msoffcrypto-tool 6.1.0. Run from the repository's root:

    python goldens/documents/gen.py crates/ilab-documents/tests/documents
"""

import io
import pathlib
import sys

import docx
import msoffcrypto.format.ooxml
import pptx
import pypdf
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

FOLDER = pathlib.Path(sys.argv[1])
TITLE = "The brill"
TEXT = "The brill is a small animal of the hills & meadows. Its keepers write brill_log files, and it weighs < 3 kg."
FOOD = ["moss", "fog"]
ROWS = [["Part", "Number"], ["legs", "6"], ["eyes", "4"]]


def word():
    document = docx.Document()
    document.add_heading(TITLE, 1)
    paragraph = document.add_paragraph("The brill is a ")
    paragraph.add_run("small").bold = True
    paragraph.add_run(TEXT.removeprefix("The brill is a small"))
    document.add_heading("Food", 2)
    for food in FOOD:
        document.add_paragraph(food, style="List Bullet")
    table = document.add_table(rows=0, cols=2)
    for row in ROWS:
        for cell, text in zip(table.add_row().cells, row):
            cell.text = text
    return saved(document)


def slides():
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = TITLE
    slide.placeholders[1].text = TEXT
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Food"
    slide.placeholders[1].text = "\n".join(FOOD)
    return saved(presentation)


def saved(document):
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def pdf():
    styles = getSampleStyleSheet()
    escaped = TEXT.replace("&", "&amp;").replace("<", "&lt;")
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A5, invariant=1).build([
        Paragraph(TITLE, styles["Heading1"]),
        Paragraph(escaped, styles["Normal"]),
        Paragraph("Food", styles["Heading2"]),
        Paragraph("It eats moss and fog. " * 8, styles["Normal"]),
        Table(ROWS),
    ])
    return buffer.getvalue()


def scan():
    """Two pages that are lines only, as a scanner without text recognition makes them."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=1)
    for _ in range(2):
        canvas.line(40, 40, 300, 500)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted_pdf(content, user_password):
    """Without a user password anybody can read it; only the owner may print or change it."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    writer.encrypt(user_password, "owner", algorithm="AES-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def locked_word(content):
    buffer = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(content)).encrypt("secret", buffer)
    return buffer.getvalue()


HTML = """<!doctype html>
<html><head><title>A page</title><style>p { color: red }</style></head>
<body><h1>The brill</h1>
<p>The brill is a <b>small</b> animal of the hills &amp; meadows. Its keepers write brill_log files, see <a href="log.html">the log</a>.</p>
<script>alert("nothing")</script>
<h2>Food</h2><ul><li>moss</li><li>fog</li></ul>
<table><tr><th>Part</th><th>Number</th></tr><tr><td>legs</td><td>6</td></tr></table>
<img src="brill.png" alt="a brill"></body></html>
"""

FOLDER.mkdir(parents=True, exist_ok=True)
FILES = {
    "brill.docx": word(),
    "brill.pptx": slides(),
    "brill.pdf": pdf(),
    "brill.html": HTML.encode(),
    "scan.pdf": scan(),
    "locked.pdf": encrypted_pdf(pdf(), "secret"),
    "not_to_print.pdf": encrypted_pdf(pdf(), ""),
    "locked.docx": locked_word(word()),
}
for name, content in FILES.items():
    (FOLDER / name).write_bytes(content)
