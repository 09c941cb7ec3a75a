.DEFAULT_GOAL := help
.PHONY: help run cluster rolling-restart password reset setup tools test test-fast test-outages bench bench-full bench-sessions demo-sessions simulate check format messages chaos chaos-seeded bench-failover

VENV := .venv/bin/python

check messages: export SECRET_KEY = not-needed-for-this
check messages: export DATABASE_URL = sqlite://:memory:

help: ## print this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 16

run: ## install what is needed and run the site and two schedulers (PORT=8000)
	@deploy/python -m deploy.run

cluster: ## run all servers, three schedulers, three web replicas and nginx in the background (`deploy/cluster stop`)
	@deploy/cluster start

rolling-restart: ## restart the web replicas of `make cluster` one by one, with no error for anybody
	@deploy/cluster rolling-restart

password: ## give the admin user of `make run` a new password
	@test -x $(VENV) || { echo "\`make run\` comes first."; exit 1; }
	@$(VENV) -m deploy.password

reset: ## forget the database and all else that `make run` and `make cluster` have kept
	@deploy/python -m deploy.reset

setup: tools ## install everything that the tests need, also from Debian's packages
	@$(VENV) -m deploy.packages
	@$(VENV) -m deploy.install requirements.txt

tools:
	@deploy/python -m deploy.install requirements/base.txt requirements/dev.txt

test: setup ## run the whole suite, with real processes and servers
	$(VENV) -m pytest -m "not acceptance" -n auto
	$(VENV) -m pytest -m "acceptance and not outage and not seeded" -n 2 --dist loadfile
	$(VENV) -m deploy.servers.mariadb -- $(VENV) -m pytest -m "mariadb and not acceptance"
	$(VENV) -m deploy.servers.mariadb -- $(VENV) -m pytest -m "mariadb and acceptance" -n 3 --dist loadfile

test-outages: setup ## take databases, ZooKeeper, clocks and disks away from real schedulers, for minutes: docs/operations.md
	$(VENV) -m pytest -m outage -n 3 --dist loadfile

test-fast: tools ## run the tests that need no server and no process of their own
	$(VENV) -m pytest -m "not acceptance" -n auto

bench: setup ## measure lateness, resharding and what a fire costs: benchmarks/README.md
	$(VENV) -m benchmarks

bench-full: setup ## load 600,000 fires, and compare with an empty ledger: benchmarks/README.md
	$(VENV) -m benchmarks.full

bench-failover: setup ## kill and freeze instances, and measure how soon others go on: benchmarks/README.md
	$(VENV) -m benchmarks.failover

bench-sessions: setup ## let servers fail under 60 users, with our session engine and Django's: benchmarks/README.md
	$(VENV) -m benchmarks.sessions

demo-sessions: setup ## see in a minute why sessions have to be shared by the web replicas
	@$(VENV) -m benchmarks.sessions.demo

simulate: tools ## play clusters with faults on a virtual clock, and check every promise (SECONDS=60 SEED=)
	$(VENV) -m scheduling.tests.simulation --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

chaos: setup ## kill, freeze and cut off real schedulers and servers, and check every promise (SECONDS=600 SEED=)
	$(VENV) -m chaos --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

chaos-seeded: setup ## put bugs in, one at a time, and see that `make chaos` finds them
	$(VENV) -m pytest -m seeded

check: tools ## format, lint, types, floors, migrations, catalogues
	@$(VENV) -m deploy.packages gettext
	$(VENV) -m ruff format --check
	$(VENV) -m ruff check
	$(VENV) -m mypy
	.venv/bin/lint-imports
	$(VENV) manage.py makemigrations --check --dry-run
	$(VENV) -m deploy.catalogues check

format: tools ## format the code and mend what the linter can
	$(VENV) -m ruff format
	$(VENV) -m ruff check --fix

messages: tools ## bring the message catalogues up to date
	@$(VENV) -m deploy.packages gettext
	$(VENV) -m deploy.catalogues write
