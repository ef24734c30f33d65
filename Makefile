# Two commands matter: `make demo` and `make test`. Both set up everything they need in .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
SERVE ?= 1
PORT ?= 8000
# The demo has a folder of its own: `make serve` and production never mix with it.
DEMO_DIR ?= var/demo
XDIST ?= -n auto --dist loadgroup

.PHONY: demo test test-services check serve lock messages bench bench-index bench-services bench-admin bench-abuse bench-desk bench-generated weigh chaos quality fusion ablation signals fit dictionary clean

$(VENV)/runtime: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned packages into $(VENV) (once; a few minutes on a slow line)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: export DATA_DIR := $(DEMO_DIR)
demo: export SITE_NAME := Havelrad
demo: export WIDGET_DEMO := 1
demo: export SITE_URL := http://localhost:$(PORT)
demo: $(VENV)/runtime  ## set up, import the demo help center, ask three questions, serve
	@$(MANAGE) demo --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve)

serve: $(VENV)/runtime  ## migrate and serve DATA_DIR (default var/)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) serve --port $(PORT)

test: $(VENV)/dev  ## the whole suite; what needs missing services or a browser skips with a reason
	@$(BIN)/python -m pytest $(XDIST)

# PostgreSQL and Redis must be there: nothing is skipped.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
TEST_REDIS_URL ?= redis://127.0.0.1:6379/9

test-services: export REQUIRE_SERVICES := 1
test-services: export TEST_DATABASE_URL := $(TEST_DATABASE_URL)
test-services: export TEST_REDIS_URL := $(TEST_REDIS_URL)
test-services: $(VENV)/dev  ## the suite on PostgreSQL, with Redis, a worker, a Chroma server and a browser
	@$(BIN)/python -m pytest $(XDIST)

check: $(VENV)/dev  ## lint, format, types, import contracts, templates, migrations, translations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy helpcenter assistant knowledge tests
	@$(BIN)/lint-imports
	@$(BIN)/djlint --lint --quiet templates
	@$(MANAGE) makemigrations --check --dry-run
	@$(MANAGE) check --fail-level WARNING

messages: $(VENV)/dev  ## collect translatable strings and compile locale/ (needs gettext)
	@$(MANAGE) makemessages -l de --no-location --no-obsolete -i .venv -i tests
	@$(MANAGE) compilemessages -l de

lock: $(VENV)/dev  ## resolve pyproject.toml anew into requirements.txt and requirements-dev.txt
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-find-links --no-emit-index-url --no-header --no-annotate -o requirements.txt pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-find-links --no-emit-index-url --no-header --no-annotate --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	@sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.txt requirements-dev.txt

bench: export DATA_DIR := var/bench
bench: $(VENV)/runtime  ## what one warm question costs at 5 000 and 20 000 passages
	@rm -rf var/bench
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@$(MANAGE) benchmark --passages 5000
	@$(MANAGE) benchmark --passages 20000 --rounds 1

BENCH_PORT ?= 8765
PROCESSES ?=

bench-index: export DATA_DIR := var/bench-index
bench-index: export ABUSE_PROTECTION := 0
bench-index: $(VENV)/runtime  ## from publishing to answerable, a rebuild, the index deleted under load; on SQLite
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@$(MANAGE) benchmark_index --publishes 200
	@set -e; $(MANAGE) serve --port $(BENCH_PORT) & trap "kill $$!; wait" EXIT; \
	  until curl -fs http://localhost:$(BENCH_PORT)/livez >/dev/null; do sleep 1; done; \
	  $(MANAGE) benchmark_index --publishes 200; \
	  $(MANAGE) benchmark_index --deletions 3 --site http://localhost:$(BENCH_PORT)
	@$(MANAGE) benchmark_index --passages 20000 --rebuild

bench-admin: export DATA_DIR := var/bench-admin
bench-admin: $(VENV)/runtime  ## lists and forms of the admin beside 10 000 articles: time and queries
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) collectstatic --noinput --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@$(MANAGE) benchmark_admin

bench-abuse: export DATA_DIR := var/bench-abuse
bench-abuse: export NUM_PROXIES := 1
bench-abuse: $(VENV)/runtime  ## one client sends 200 requests a second: what its neighbours notice; loopback only
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@set -e; $(MANAGE) serve $(addprefix --processes ,$(PROCESSES)) --port $(BENCH_PORT) & trap "kill $$!; wait" EXIT; \
	  until curl -fs http://127.0.0.1:$(BENCH_PORT)/readyz >/dev/null; do sleep 1; done; \
	  $(MANAGE) benchmark_abuse --site http://127.0.0.1:$(BENCH_PORT)

bench-desk: export DATA_DIR := var/bench-desk
bench-desk: $(VENV)/runtime  ## the support desk's pages with 50 000 tickets: time and number of queries
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) collectstatic --noinput --verbosity 0
	@$(MANAGE) benchmark_desk --tickets 50000

bench-generated: export DATA_DIR := var/bench-generated
bench-generated: $(VENV)/dev  ## time to an answer that a model writes, at set paces and when it fails; a scripted server
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@$(BIN)/python -m tests.answer_speed

weigh: export DATA_DIR := var/weigh
weigh: export ABUSE_PROTECTION := 0
weigh: $(VENV)/dev  ## kilobytes, requests, time to the first byte and layout shift of each kind of page
	@rm -rf $$DATA_DIR
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) import_articles knowledge/demo --publish --source demo
	@set -e; $(MANAGE) serve --port $(BENCH_PORT) & trap "kill $$!; wait" EXIT; \
	  until curl -fs http://127.0.0.1:$(BENCH_PORT)/readyz >/dev/null; do sleep 1; done; \
	  for language in de en; do $(BIN)/python -m tests.weigh --site http://127.0.0.1:$(BENCH_PORT) --language $$language; done

# An empty database of its own, such as `createdb helpcenter_bench` makes, and a Redis database that nobody else uses.
BENCH_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/helpcenter_bench
BENCH_REDIS_URL ?= redis://127.0.0.1:6379/8

bench-services: export DATA_DIR := var/bench-services
bench-services: export DATABASE_URL := $(BENCH_DATABASE_URL)
bench-services: export CELERY_BROKER_URL := $(BENCH_REDIS_URL)
bench-services: export CHROMA_URL := http://127.0.0.1:$(BENCH_PORT)
bench-services: $(VENV)/runtime  ## from publishing to answerable through PostgreSQL, Redis, a worker and a Chroma server
	@rm -rf $$DATA_DIR && mkdir -p $$DATA_DIR
	@set -e; trap 'kill $$pids; wait' EXIT; \
	  $(BIN)/chroma run --path $$DATA_DIR/chroma --host 127.0.0.1 --port $(BENCH_PORT) >/dev/null & pids=$$!; \
	  until curl -fs $$CHROMA_URL/api/v2/heartbeat >/dev/null; do sleep 1; done; \
	  $(MANAGE) migrate --verbosity 0; \
	  $(BIN)/celery --app=helpcenter worker --pool=prefork --concurrency=2 & pids="$$pids $$!"; \
	  $(BIN)/celery --app=helpcenter beat & pids="$$pids $$!"; \
	  $(MANAGE) import_articles knowledge/demo --publish --source demo; \
	  $(MANAGE) benchmark_index --publishes 200

# The long version of tests/test_chaos.py. Writes a folder and a database of its own; docs/reliability.md has its table.
KILLS ?= 300
PEOPLE ?= 8
OPERATIONS ?= 500
CHAOS := $(BIN)/python -m tests.chaos

chaos: $(VENV)/dev  ## kills and faults against real processes; 300 kills, 8 people with 500 operations each
	@failed=0; \
	$(CHAOS) kills --kills $(KILLS) --server $(TEST_DATABASE_URL) || failed=1; \
	$(CHAOS) load --threads $(PEOPLE) --operations $(OPERATIONS) || failed=1; \
	$(CHAOS) load --shape parts --server $(TEST_DATABASE_URL) --threads $(PEOPLE) --operations $(OPERATIONS) || failed=1; \
	exit $$failed

# Labelled help centers: one folder a set with articles.jsonl and questions.jsonl (docs/quality.md).
DATA ?= ../shared/data
WORK ?= var/quality
SETS ?= doc2dial covid_faq xquad mtrag emanual
# The demo help center is one of the sets that retrieval is fitted on.
FITTED := $(addprefix $(DATA)/,$(SETS)) knowledge/demo

quality: $(VENV)/runtime  ## import every labelled set into a database of its own and evaluate it
	@mkdir -p $(WORK)
	@set -e; for set in $(SETS); do \
	  export DATA_DIR=$(WORK)/$$set; echo "== $$set"; \
	  $(MANAGE) migrate --verbosity 0; \
	  $(MANAGE) import_articles $(DATA)/$$set/articles.jsonl --publish --source $$set; \
	  $(MANAGE) evaluate $(DATA)/$$set/questions.jsonl --articles own --json > $(WORK)/$$set.json; \
	  $(MANAGE) evaluate $(DATA)/$$set/questions.jsonl --articles own --json --hide-gold > $(WORK)/$$set.hidden.json; \
	  $(MANAGE) evaluate $(DATA)/out_of_scope/questions.jsonl --articles own --json > $(WORK)/$$set.outside.json; \
	  $(MANAGE) evaluate $(DATA)/out_of_scope/questions.jsonl --articles other --json > $(WORK)/$$set.outside-other.json; \
	  across=$(DATA)/$$set/questions_crosslingual.jsonl; test -f $$across || continue; \
	  $(MANAGE) evaluate $$across --articles other --json > $(WORK)/$$set.across.json; \
	  $(MANAGE) evaluate $$across --articles other --hide-gold --json > $(WORK)/$$set.across.hidden.json; \
	done

fusion: $(VENV)/runtime  ## fit the weights that retrieval ships with; before quality, signals and fit
	@$(MANAGE) fit_fusion $(FITTED) --work $(WORK)

ablation: $(VENV)/runtime  ## every signal, baseline and part of the mix on every labelled set; in memory
	@$(MANAGE) measure_sets $(FITTED) --work $(WORK)

# MOST=200 asks at most so many of a kind and language.
signals: $(VENV)/runtime  ## decide every labelled question, plain, with its gold hidden and off-topic; in memory
	@$(MANAGE) measure_sets $(addprefix $(DATA)/,$(SETS)) --work $(WORK) \
	  --outside $(DATA)/out_of_scope/questions.jsonl --signals $(if $(MOST),--most $(MOST))

# Labels of these name few of several acceptable articles.
INCOMPLETE ?= emanual mtrag

fit: signals  ## fit the shipped confidence model on them
	@$(MANAGE) fit_confidence $(WORK)/*.signals --incomplete $(INCOMPLETE)

PAIRS ?= $(DATA)/parallel_de_en/pairs.tsv.gz

dictionary: $(VENV)/runtime  ## learn the word table by which word search crosses languages
	@$(MANAGE) build_dictionary $(PAIRS)

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
