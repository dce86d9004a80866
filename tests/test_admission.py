"""Verdicts on all documents at once are those of `rag.scope` on each."""

import pytest

from rag.scope import of_document, places_of, slots

QUESTIONS = [
    "2023年春节期间值班要求是什么？", "2022年印发的文件有哪些？", "兰州市民政局值班室电话是多少？", "吉林省和兰州市的要求有何不同？",
    "《关于做好2023年元旦春节期间有关工作的通知》怎么说？", "兰民发〔2021〕239号的主要内容", "教育局关于清明节的要求",
]  # fmt: skip
FILTERS = [{}, {"kind": "通知"}, {"issuer": "民政局"}, {"in_force": "1"}, {"year": "2022"}, {"place": "兰州"}]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_register_says_of_each_document_what_scope_says(question, filters, pipeline):
    found = pipeline.asking.found(question, filters=filters)
    index, query = pipeline.index, found.query
    for id, entry in index.metas.items():
        expected = [of_document(slot, query, id, entry.meta, places_of(entry.meta)) for slot in slots(query) if slot.name != "效力"]
        said = [v for slot, v in zip(found.admission.slots, found.admission.verdicts(id), strict=True) if slot.name != "效力"]
        assert said == expected


def test_rows_and_documents_follow_from_the_verdicts(pipeline):
    index = pipeline.index
    admission = pipeline.asking.found("2023年春节期间兰州市的值班要求是什么？").admission
    assert len(admission.slots) >= 2
    kept = [id for id in index.metas if False not in admission.verdicts(id)]
    assert 0 < len(kept) < len(index.metas)
    assert admission.rows().tolist() == index.rows_of(kept).tolist()
    assert set(admission.documents()) == {id for id in kept if all(admission.verdicts(id))}
    assert pipeline.asking.found("值班要求是什么？").admission.rows() is None


def test_the_text_of_a_document_is_read_without_the_rest_of_it(pipeline):
    from rag.index.view import View

    index = pipeline.index
    first, *others = index.metas
    assert all(index.text(id) == index.document(id).text for id in index.metas)
    view = View(index, {first})
    assert view.text(first) == index.text(first)
    for unseen in (others[0], "absent"):
        with pytest.raises(KeyError):
            view.text(unseen)
    with pytest.raises(KeyError):
        index.text("absent")
