"""What the pages say, in one place."""

TITLE = "文据 · 言必有据"
ASK_LABEL = "问题"
ASK_PLACEHOLDER = "请输入问题，例如：消防安全大检查什么时候做？"
SEND = "提问"
STOP = "停止"
EXAMPLES = "可以这样问"

WORKING = "正在查找依据"
STOPPED = "已停止。"
STOPPED_HINT = "可以修改问题后重新提问。"
DONE = "回答完成，共 {count} 处引文。"
NO_EVIDENCE = "没有找到依据"
NO_EVIDENCE_HINT = "可以换一种说法，写明年份、单位或文号；也可以到“文件”里翻看。"
LEADS = "内容相近的文件（不是答案）"
CLARIFY = "需要再问清楚一点"
CLARIFY_HINT = "请在下面补充后再问。"
UNDERSTOOD = "按此理解"

COPY = "复制（含引文）"
GOOD, BAD, WRONG = "有帮助", "没帮助", "引文有误"

FILTERS = {
    "year": "年份", "festival": "节日", "place": "地区", "issuer": "单位",
    "document_number": "文号", "title": "标题", "section": "章节",
}
