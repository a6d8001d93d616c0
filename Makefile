.PHONY: test slow lint

test:
	python -m pytest

slow:
	python -m pytest -m slow

lint:
	ruff check .
	ruff format --check .
