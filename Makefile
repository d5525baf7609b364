# pointsman: targets are printed by `make help`
#
#   make            build build/pointsman (release)
#   make run        install what is missing, build, start the demo on 8080 and 9180
#   make test       install what is missing, build, run everything
#   make unit       only the cmocka unit tests;  T=name runs one file
#   make e2e        only the end-to-end tests;   T=name runs one file
#   make chaos      SECONDS=600 [SEED=n]: faults by chance, judged; make chaos-suite runs the seeds of make test
#   make planted    bugs planted on purpose must be caught by the chaos tests
#   make cost       instructions and system calls per event beside committed figures; UPDATE=1 records new ones
#   make model      the claim protocol checked by spin (tests/model/README.md)
#   make lint       layers, headers, sizes, banned functions, docs up to date
#   make bench      what an event costs beside nginx, HAProxy, nginx + Lua;  QUICK=1 SAVE=1 ONLY="full durable"
#   make bench-growth    the same with more workers, connections, remembered events, dead letters
#   make bench-overload  twice of what it can do is offered; what is not kept fails
#   make bench-docs docs/PERFORMANCE.md and its pictures from the newest saved results
#   make soak       SECONDS=3600: does anything grow, was every event done once
#   make fuzz       F=target SECONDS=60: fuzz one parser
#   make docs       regenerate docs/CONFIG.md and the sample from the option table
#   SAN=address,undefined or SAN=thread builds into build/<san>/ with sanitizers

SAN ?=
JOBS := $(shell nproc)
comma := ,
B := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))

CC  ?= gcc
CXX ?= g++
OPT := $(if $(SAN),-O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all,-O3 -D_FORTIFY_SOURCE=2)
WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wundef -Wformat=2 -Werror
CWARN := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS := -Iinclude -D_GNU_SOURCE
CFLAGS := -std=c11 -g $(OPT) $(CWARN) -pthread -fstack-protector-strong
CXXFLAGS := -std=c++17 -g $(OPT) $(WARN) -pthread -fno-exceptions -fno-rtti -fstack-protector-strong
LDFLAGS := -pthread $(if $(SAN),-fsanitize=$(SAN))
# Intel's library for several HMACs at once; Debian has it for amd64 only.
ifneq ($(wildcard /usr/include/intel-ipsec-mb.h),)
CPPFLAGS += -DHAVE_IPSEC_MB
MB := -lIPSec_MB
endif
LDLIBS := $(MB) -levent_core -lcrypto -lhiredis -lxxhash -lsimdjson -lsqlite3 -llz4 -lyaml -ljansson -lstdc++ -lm

LAYERS := admin proxy router store conf base
objs = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c)) $(patsubst %.cpp,$(B)/%.o,$(wildcard $(1)/*.cpp))
LIBS := $(foreach l,$(LAYERS),$(if $(wildcard $(l)/*.c),$(B)/lib$(l).a))
DEMO := $(patsubst demo/%.c,$(B)/demo/%,$(wildcard demo/*.c))
VFS := $(patsubst %,$(B)/tests/vfs/%.o,vfs overlay disk)
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))


.PHONY: all help deps demo run test unit unit-tests e2e e2e-parts chaos chaos-suite planted cost model lint bench \
  bench-growth bench-overload bench-docs soak fuzz docs clean
.SECONDARY:
.DELETE_ON_ERROR:

all: $(B)/pointsman

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

$(B)/pointsman: $(call objs,cli) $(LIBS)
	@echo "  LD   $@"; $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

define layer_rule
$(B)/lib$(1).a: $(call objs,$(1))
	@echo "  AR   $$@"; rm -f $$@; $(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(B)/%.o: %.c
	@mkdir -p $(@D); echo "  CC   $<"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Optimised over all files, for the program alone: tests and tools link the same objects as they are. make LTO= does without.
LTO := $(if $(SAN),,-flto=auto -ffat-lto-objects)
$(foreach l,cli $(LAYERS),$(call objs,$(l))): CFLAGS += $(LTO)
$(call objs,router): CXXFLAGS += $(LTO)
$(B)/pointsman: private LDFLAGS += $(if $(LTO),-O3 $(LTO))

$(B)/store/redis_lua.o: store/redis_functions.lua store/redis_control.lua
$(B)/store/redis_lua.o: CFLAGS += -fno-lto

$(B)/%.o: %.cpp
	@mkdir -p $(@D); echo "  CXX  $<"; $(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(B)/demo/%: $(B)/demo/%.o $(LIBS)
	@echo "  LD   $@"; $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS)
$(B)/demo/send: $(B)/cli/client.o $(B)/cli/table.o

BENCH := $(addprefix $(B)/bench/,load backend disk store)
$(B)/bench/load: $(addprefix $(B)/bench/,run.o sender.o idle.o payload.o template.o schedule.o distribution.o cpu.o)
$(B)/bench/backend: $(addprefix $(B)/bench/,backend_options.o ledger.o due.o schedule.o)
$(B)/bench/store: $(B)/bench/cpu.o
$(BENCH): $(B)/bench/%: $(B)/bench/%.o $(LIBS)
	@echo "  LD   $@"; $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(LDLIBS)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIBS)
	@echo "  LD   $@"; $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) -lcmocka $(LDLIBS)
$(B)/tests/unit/test_cli_args: $(B)/cli/args.o
$(B)/tests/unit/test_cli_client: $(B)/cli/client.o
$(B)/tests/unit/test_notify: $(B)/cli/notify.o
$(B)/tests/unit/test_bench_distribution: $(addprefix $(B)/bench/,distribution.o schedule.o)
$(B)/tests/unit/test_bench_due: $(B)/bench/due.o
$(B)/tests/unit/test_bench_ledger: $(B)/bench/ledger.o
$(B)/tests/unit/test_bench_schedule: $(B)/bench/schedule.o
$(B)/tests/unit/test_takeover: $(addprefix $(B)/cli/,handover.o handover_wire.o takeover.o)
$(addprefix $(B)/tests/unit/test_,vfs journal_copy journal_crash row wal_vfs): $(VFS)
$(B)/tests/unit/test_vfs: $(B)/tests/libtestvfs.so

# Faults below SQLite: linked into unit tests, preloaded into the real program (tests/vfs/vfs.h).
$(VFS) $(B)/tests/vfs/preload.o: CFLAGS += -fPIC
$(B)/tests/libtestvfs.so: $(VFS) $(B)/tests/vfs/preload.o
	@echo "  LD   $@"; $(CC) $(LDFLAGS) -shared -o $@ $^ -lsqlite3

deps:
	@scripts/install-deps

run: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all demo
	@demo/run

demo: $(DEMO)

# The release binary as it ships, everything under ASan and UBSan, end to end under TSan too. The model takes what the chaos
# tests leave of the cores: they wait most of their time, and it touches no disk.
test: deps
	@$(MAKE) --no-print-directory -j$(JOBS) e2e-parts unit-tests
	@$(MAKE) --no-print-directory cost UPDATE=
	@$(MAKE) --no-print-directory unit e2e T=
	@nice -n 19 $(MAKE) --no-print-directory model >build/model.log 2>&1 & model=$$!; \
	$(MAKE) --no-print-directory chaos-suite || { kill $$model; exit 1; }; \
	wait $$model; result=$$?; cat build/model.log; exit $$result
	@$(MAKE) --no-print-directory planted
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=address,undefined e2e-parts unit-tests
	@$(MAKE) --no-print-directory SAN=address,undefined unit e2e T=
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=thread e2e-parts
	@$(MAKE) --no-print-directory SAN=thread e2e T=

unit-tests: $(UNIT)
e2e-parts: all $(B)/tests/libtestvfs.so $(B)/tests/unit/journal_fill $(BENCH)

# All of them: one a core at a time, since most wait for servers and disks; what fails is shown.
unit: $(if $(T),$(B)/tests/unit/test_$(T),$(UNIT))
	@$(if $(T),$^,printf '%s\n' $^ | xargs -P $(JOBS) -I{} sh -c \
	'if {} >{}.log 2>&1; then echo "ok {}"; else cat {}.log; echo "FAILED {}"; exit 255; fi')

e2e: e2e-parts
	@POINTSMAN_BIN=$(CURDIR)/$(B)/pointsman POINTSMAN_E2E_SLOW=$(if $(SAN),3,1) T='$(T)' tests/e2e/run

# New seeds for SECONDS, each printed with the command that runs it alone.
chaos: $(B)/pointsman $(B)/tests/libtestvfs.so
	@POINTSMAN_BIN=$(CURDIR)/$(B)/pointsman tests/chaos/run --seconds '$(or $(SECONDS),600)' $(if $(SEED),--seed '$(SEED)')

chaos-suite: $(B)/pointsman $(B)/tests/libtestvfs.so
	@node --test tests/chaos/*.test.mjs bench/curves/*.test.mjs
	@POINTSMAN_BIN=$(CURDIR)/$(B)/pointsman tests/chaos/run --suite

planted: $(B)/pointsman $(B)/tests/libtestvfs.so
	@tests/chaos/planted/run

# Always the release binary: a sanitizer's cost is not the program's.
cost: build/pointsman
	@node --test tests/cost/*.test.mjs >build/cost.log || { cat build/cost.log; exit 1; }
	@POINTSMAN_BIN=$(CURDIR)/build/pointsman tests/cost/run $(if $(UPDATE),--update)

model:
	@tests/model/run

lint:
	@scripts/install-deps --lint
	@for check in scripts/lint/*; do echo "== $$check"; $$check || exit 1; done

bench:
	@node bench/main.mjs

MEASURED := $(B)/pointsman $(B)/bench/load $(B)/bench/backend
bench-growth: $(B)/tests/unit/journal_fill
	@node bench/main.mjs growth

bench-overload: $(MEASURED)
	@scripts/install-deps --bench
	@node bench/curves/overload.mjs $(ONLY)

bench-docs:
	@node bench/docs.mjs
	@node bench/curves/pictures.mjs

soak: $(MEASURED)
	@SECONDS='$(SECONDS)' node bench/curves/soak.mjs

docs: all
	@$(B)/pointsman check --print-docs > docs/CONFIG.md
	@$(B)/pointsman check --print-sample > docs/pointsman.sample.yaml

# Coverage-guided, with clang's libFuzzer; the corpora in tests/fuzz/corpus are replayed by the unit tests.
fuzz:
	@tests/fuzz/run '$(F)' '$(or $(SECONDS),60)'

clean:
	rm -rf build

# Of this tree only, not of those below it.
-include $(wildcard $(B)/*/*.d $(B)/tests/*/*.d)
