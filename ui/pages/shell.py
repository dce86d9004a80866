"""The fixed parts of the page: header, welcome, the empty source panel, the empty documents view."""

from ui.pages import words
from ui.pages.escape import html

HEADER = html(
    '<header class="wj-head"><h1><a class="wj-brand" href="#ask"><span class="wj-seal" aria-hidden="true">据</span>'
    "<b>文据</b><small>言必有据</small></a></h1>"
    '<nav aria-label="页面"><a href="#ask" data-view-link="ask">问答</a>'
    '<a href="#documents" data-view-link="documents">文件</a><a href="./eval">评测</a></nav>'
    '<a class="wj-new" href="./">新对话</a></header>'
    '<div id="wj-say" class="wj-hidden" role="status" aria-live="polite"></div>'
)

WELCOME = html(
    '<div class="wj-welcome"><h2>查公文，言必有据</h2>'
    "<p>用平常的话提问。回答的每一句都来自已收录的文件，点句末的编号就能看到原文；没有依据的，文据不会作答。</p></div>"
)

EXAMPLES = html('<p class="wj-quiet" id="wj-examples-label">{label}</p>', label=words.EXAMPLES)

PANEL = html(
    '<section id="wj-panel" aria-label="依据" data-empty><div class="wj-bar"><h2>依据</h2><span data-place></span>'
    '<button type="button" data-step="-1" aria-label="上一处依据">上一处</button>'
    '<button type="button" data-step="1" aria-label="下一处依据">下一处</button>'
    '<button type="button" data-close aria-label="关闭依据">✕</button></div>'
    '<div class="wj-sheet"><p class="wj-quiet">点回答里的编号，原文会显示在这里。</p></div></section>'
)

DOCUMENTS = html(
    '<div class="wj-files"><section class="wj-index" aria-label="文件列表"><label class="wj-quiet" for="wj-filter">筛选</label>'
    '<input id="wj-filter" type="search" placeholder="标题、单位、文号或年份" autocomplete="off">'
    '<div id="wj-list"><p class="wj-quiet">正在读取……</p></div></section>'
    '<section id="wj-document" aria-label="文件全文" tabindex="0"><p class="wj-quiet">从列表里选一份文件。</p></section></div>'
)
