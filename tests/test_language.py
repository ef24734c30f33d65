"""What tells German from English is loaded once, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor

from knowledge import language


def test_many_first_questions_load_the_identifier_once(monkeypatch):
    from py3langid.langid import LanguageIdentifier

    loads = []
    load = LanguageIdentifier.from_model_file

    def counted(*arguments: object, **options: object) -> object:
        loads.append(1)
        return load(*arguments, **options)

    monkeypatch.setattr(LanguageIdentifier, "from_model_file", counted)
    language._loaded.cache_clear()
    text = "Wie kündige ich mein Abo, und was kostet das?"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: language.detect_language(text, fallback="en"), range(8)))
    assert found == ["de"] * 8
    assert len(loads) == 1
