# deps: everything that building and testing needs (Debian, Ubuntu; root only when something is missing).
deps:
	$(Q)packaging/install-deps.sh

.PHONY: deps
