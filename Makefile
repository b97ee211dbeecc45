# Everything a person types. Each target installs what it needs, pinned, and can be run again
# after it was interrupted.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench down

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## From a push to a released COMPTA on this machine; again for the next version
	tools/install
	tools/run node local-cloud/cli.ts up
	tools/run node demo/run.ts

test: ## Run every test
	tools/install
	tools/run node scripts/test.ts

check: ## Format, lint, types, bundles, workflows
	tools/install
	tools/run node scripts/check.ts

bench: ## The long measurements: loss, kills, leaks, leavings (hours)
	tools/install
	tools/run node bench/run.ts

down: ## Remove everything that demo started
	tools/run node local-cloud/cli.ts down
