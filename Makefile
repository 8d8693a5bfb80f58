# adze - image classifiers from the command line
#
#   make                 build bin/adze and bin/adze-*
#   make demo            install what is missing, build, show the main job
#   make test            install what is missing, build, pass every test
#   make test T=op/conv2d     one test: tests/op/conv2d.c, tests/cli/X.sh;
#                             T=op a folder
#   make test-interop test-zoo   other programs agree; every network trains
#   make test-arm64 test-avx512   kernels for processors that are not here
#   make bench           timings of kernels and commands
#   make bench-peers     beside ONNX Runtime and others; knobs: scripts/bench-peers
#   make gpu-check       where a GPU is: kernels, training, timings
#   make bench-gpu       there beside PyTorch; knobs: scripts/bench-gpu
#   make install         PREFIX=/usr/local DESTDIR=
#   make deps uninstall clean format, pages (tables of man/ that come from C)
#
# Knobs: CC CXX CFLAGS LDFLAGS NVCC CUDA_ARCH  CUDA=0|1 BLAS=0|1 JPEG=0|1 (found)
#        SAN=address,undefined  V=1 (show commands)  JOBS=N (at a time; all processors)

PREFIX  ?= /usr/local
NVCC    ?= nvcc
CFLAGS  ?= -O2 -g
VERSION := 0.1.0
JOBS    ?= $(shell nproc)
MAKEFLAGS += -j$(JOBS)

# Lower layers first: a file may include only from its own layer and those
# to the left.  tests/check/layers.sh reads this line.
LAYERS  := base tensor image graph op pass format cpu cuda run data train cli

# ---- what is here ----
# Missing packages come first, as the next lines look for them.
ifneq ($(filter deps demo test test-interop bench bench-peers bench-gpu,$(MAKECMDGOALS)),)
_ := $(shell mkdir -p .build; date +%s >.build/time.0; scripts/deps >&2 && date +%s >.build/time.1)
$(if $(filter-out 0,$(.SHELLSTATUS)),$(error packages are missing))
endif

have     = $(shell printf '\#include <stdio.h>\n\#include <$1>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo 1 || echo 0)
BLAS    := $(or $(BLAS),$(call have,openblas_config.h))
JPEG    := $(or $(JPEG),$(call have,jpeglib.h))
NVCC_OK := $(if $(shell command -v $(NVCC) 2>/dev/null),1,0)
override CUDA := $(if $(wildcard lib/cuda/*.cu),$(or $(CUDA),$(NVCC_OK)),0)
# The emulator of CUDA, for tests, is C++20 and knows two processors.
EMU     := $(shell [ "`$(CC) -dumpmachine`" = "`$(CXX) -dumpmachine 2>/dev/null`" ] && \
             echo '\#include <source_location>' | $(CXX) -std=c++20 -E -x c++ - >/dev/null 2>&1 && echo 1)

B       ?= .build
G       := $B/gen
Q       := $(if $V,,@)
say      = $(if $V,,@printf '  %-5s %s\n' $1 $2)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Wwrite-strings -Wpointer-arith -Wno-missing-field-initializers
DEFS    := -D_GNU_SOURCE -DADZE_VERSION='"$(VERSION)"' \
           -DADZE_BUILD='"CUDA=$(CUDA) BLAS=$(BLAS) JPEG=$(JPEG)"'
BASEC   := -std=c11 $(DEFS) -Ilib -I$G $(WARN) -ffp-contract=off \
           -fno-math-errno -fno-trapping-math -fexcess-precision=standard \
           -include lib/base/banned.h
# One flag each: a comma would end the argument of a $(call).
comma    := ,
sanflag  = $(if $1,$(patsubst %,-fsanitize=%,$(subst $(comma), ,$1)) -fno-sanitize-recover=all)
LDLIBS  += -lyaml -ljansson -lxxhash -lprotobuf-c $(if $(filter 1,$(JPEG)),-ljpeg) \
           $(if $(filter 1,$(BLAS)),-lopenblas) $(CULIBS) -lm -pthread

# Machine code for A100 and H100, and PTX for what comes after them; compressed.
CUDA_ARCH ?= -gencode 'arch=compute_80,code=[sm_80,sm_90,compute_80]'
# C++ lacks two words of our headers; nothing of libstdc++ is linked.
CXXWORDS := -D_GNU_SOURCE -D_Noreturn= -Drestrict=__restrict
NVCCFLAGS := -O3 -std=c++20 -Ilib $(CXXWORDS) -Xcompiler -fno-exceptions,-fno-rtti,-fno-threadsafe-statics -Xfatbin -compress-all
CULIBS   = $(if $(CUSRC),-L$(shell dirname "$$(dirname "$$(readlink -f "$$(command -v $(NVCC))")")")/lib64 -lcudart_static -ldl -lrt)
# -fdata-sections: tests/cuda/emu/shared.ld collects what __shared__ declares.
EMUCXX  := -std=c++20 $(CXXWORDS) -Itests/cuda/emu -Ilib -Itests/cuda -Wall -Wextra -Wshadow \
           -Wno-missing-field-initializers -Wno-unknown-pragmas -ffp-contract=off -fdata-sections -MMD -MP

# A file's name ends with its instruction set; stb's and libjpeg's headers are not ours.
avx2     := -mavx2 -mfma -mf16c
avx512   := $(avx2) -mavx512f -mavx512bw -mavx512vl -mavx512dq
avxvnni  := $(avx2) -mavxvnni
bf16     := $(avx512) -mavx512bf16
vnni     := $(avx512) -mavx512vnni
neon     := -DVEC_NEON
x86_64   := avx2 avxvnni avx512 bf16 vnni
aarch64  := neon
ISAS    := $($(firstword $(subst -, ,$(shell $(CC) -dumpmachine))))
isa      = $($(filter $(ISAS),$(lastword $(subst _, ,$1)))) $(if $(filter %/image/stb %/image/jpeg_turbo,$1),-DADZE_BASE_BANNED_H) \
           $(if $(filter %/image/resize %/image/colour,$1),-fopenmp-simd)

# Objects are kept apart by everything that changes them: $O for this
# build, $S for the run of the unit tests under the sanitizers.
key      = $(shell printf '%s' '$(subst ','\'',$(CC) $(BASEC) $(foreach i,$(ISAS),$($i)) $(CFLAGS) $(CUDA) $1)' | cksum | cut -d' ' -f1)
O       := $B/$(call key,$(call sanflag,$(SAN)))
SANS    := address,undefined
SFLAGS  := -O1 -g1 $(call sanflag,$(SANS))
S       := $B/$(call key,$(SFLAGS))

# ---- sources ----
# One file of each pair is built: what the machine has, or its stand-in.
CUSRC   := $(if $(filter 1,$(CUDA)),$(sort $(wildcard lib/cuda/*.cu)))
SKIP    := $(if $(filter 1,$(BLAS)),lib/cpu/gemm_own.c,lib/cpu/gemm_blas.c) \
           $(if $(filter 1,$(JPEG)),lib/image/jpeg_stb.c,lib/image/jpeg_turbo.c) \
           $(if $(CUSRC),lib/cuda/none.c) $(addprefix %_,$(addsuffix .c,$(filter-out $(ISAS),$(x86_64) $(aarch64))))
LIBSRC  := $(filter-out $(SKIP),$(foreach l,$(LAYERS),$(sort $(wildcard lib/$l/*.c))))
ZOO     := $(sort $(wildcard models/*.yaml models/*/*.yaml))
PROTO   := $(wildcard lib/format/onnx.proto)
GENSRC  := $(PROTO:lib/%.proto=$G/%.pb-c.c) $(if $(ZOO),$G/format/zoo_text.c)
CUDIR   := $B/cuda-$(shell printf '%s' '$(subst ','\'',$(NVCC) $(NVCCFLAGS) $(CUDA_ARCH))' | cksum | cut -d' ' -f1)
CUOBJ   := $(CUSRC:%.cu=$(CUDIR)/%.o)
EMUSRC  := $(sort $(wildcard lib/cuda/*.cu tests/cuda/*.cu tests/cuda/emu/*.cc))
EMUOBJ   = $(EMUSRC:%=$1/emu/%.o)
LIBOBJ   = $(LIBSRC:%.c=$1/%.o) $(GENSRC:$G/%.c=$1/gen/%.o) $(CUOBJ)
CMDSRC  := $(sort $(wildcard src/*.c))
CMDS    := $(patsubst src/%.c,bin/adze-%,$(filter-out src/adze.c,$(CMDSRC))) \
           $(patsubst src/adze.c,bin/adze,$(filter src/adze.c,$(CMDSRC)))
TESTLIB  = $(patsubst %.c,$1/%.o,$(filter-out tests/preload.c $(SKIP),$(sort $(wildcard tests/*.c))))
UNIT    := $(sort $(if $T,$(wildcard tests/$T.c tests/$T/*.c),$(wildcard tests/*/*.c)))
UNIT    := $(filter-out $(if $(EMU),,tests/cuda/%),$(UNIT))
SHELL_T := $(sort $(if $T,$(wildcard tests/$T.sh tests/$T/*.sh),$(wildcard tests/check/*.sh tests/cli/*.sh)))
SHELL_T := $(filter-out %/lib.sh,$(SHELL_T))

all: $O/libadze.a $(CMDS)

# ---- rules, once for each folder of objects: $1 the folder, $2 the flags ----
# What the compiler said stays beside the object: tests/check/warnings.sh.
cc       = $(CC) $(BASEC) $(call isa,$(basename $<)) -MMD -MP
run_cc   = $Q$(cc) $1 -c -o $@ $< 2>$(@:.o=.warn) || { cat $(@:.o=.warn) >&2; exit 1; }; cat $(@:.o=.warn) >&2
run_cxx  = $Q$(CXX) $(EMUCXX) $1 -c -o $@ -x c++ $< 2>$(@:.o=.warn) || { cat $(@:.o=.warn) >&2; exit 1; }; cat $(@:.o=.warn) >&2

define rules
$1/gen/%.o: $G/%.c
	@mkdir -p $$(@D)
	$$Q$$(CC) $(DEFS) -std=c11 -Ilib -I$G -MMD -MP $2 -c -o $$@ $$<

$1/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(call run_cc,$2)

$1/libadze.a: $(call LIBOBJ,$1)
	@rm -f $$@
	$$(call say,AR,$$@)
	$$Q$$(AR) qcs $$@ $$^

# The references once more with real = double and every symbol named d_X:
# tests/op_check.c takes derivatives of them.
$1/double/%.o: lib/op/%.c
	@mkdir -p $$(@D)
	$$(call run_cc,-DREAL=double $2)

$1/tests/d_op.o: $(patsubst lib/op/%.c,$1/double/%.o,$(filter lib/op/%,$(LIBSRC)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$Q$$(LD) -r -o $$@.tmp $$^ && $$(or $$(NM),nm) -g --defined-only $$@.tmp | awk '{ print $$$$3, "d_" $$$$3 }' > $$@.names
	$$Q$$(or $$(OBJCOPY),objcopy) --redefine-syms=$$@.names $$@.tmp $$@

$1/tests/lib.a: $(call TESTLIB,$1) $1/tests/d_op.o
	@rm -f $$@
	$$Q$$(AR) qcs $$@ $$^

$1/tests/%: $1/tests/%.o $1/tests/lib.a $1/libadze.a
	$$(call say,LD,$$@)
	$$Q$$(CC) $2 $$(LDFLAGS) -Wl,--build-id=none -o $$@ $$^ $$(or $$(TESTLIBS),-lcmocka) $$(LDLIBS)

# Kernels as C++, for tests/cuda/emu: in front of what the archive has.
$(EMUSRC:%=$1/emu/%.o): $1/emu/%.o: %
	@mkdir -p $$(@D)
	$$(call say,CXX,$$<)
	$$(call run_cxx,$$(filter-out -fsanitize=undefined,$2))

$1/tests/cuda/%: $1/tests/cuda/%.o $(call EMUOBJ,$1) $1/tests/lib.a $1/libadze.a tests/cuda/emu/shared.ld
	$$(call say,LD,$$@)
	$$Q$$(CC) $2 $$(LDFLAGS) -Wl,--build-id=none -o $$@ $$(filter %.o %.a,$$^) -Wl,-T,$$(filter %.ld,$$^) -lcmocka $$(LDLIBS) -lstdc++

# Files that include a generated header wait for it.
$(patsubst %.c,$1/%.o,$(filter lib/format/onnx%,$(LIBSRC)) tests/format/onnx_import.c): | $(PROTO:lib/%.proto=$G/%.pb-c.c)
endef
$(eval $(call rules,$O,$(CFLAGS) $(call sanflag,$(SAN))))
$(if $(filter-out $O,$S),$(eval $(call rules,$S,$(SFLAGS))))

# Registers and spills of each kernel stay beside it: tests/check/cuda.sh.
$(CUDIR)/%.o: %.cu
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$Q$(NVCC) $(NVCCFLAGS) $(CUDA_ARCH) -Xptxas -v -MMD -MP -c -o $@ $< 2>$(@:.o=.ptxas) || { cat $(@:.o=.ptxas) >&2; exit 1; }

$G/format/onnx.pb-c.c: lib/format/onnx.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$Qprotoc-c --proto_path=lib/format --c_out=$(@D) $<

$G/format/zoo_text.c: $(ZOO) scripts/embed $G/format/zoo
	$(call say,EMBED,models)
	$Qscripts/embed $(ZOO) > $@.tmp && mv $@.tmp $@

$G/format/zoo: FORCE # the names of models/, newer when one has come or gone
	@mkdir -p $(@D) && echo $(ZOO) | cmp -s - $@ || echo $(ZOO) > $@

bin/adze: $O/src/adze.o
$(filter-out bin/adze,$(CMDS)): bin/adze-%: $O/src/%.o
$(CMDS): $O/libadze.a $O/flags
	@mkdir -p bin
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(call sanflag,$(SAN)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

# bin/ belongs to the flags that were used last.
$O/flags: FORCE
	@mkdir -p $O
	@[ "$$(cat $B/last 2>/dev/null)" = $O ] && [ -f $@ ] || { echo $O > $B/last; touch $@; \
	  scripts/found $(NVCC); echo "  built: CUDA=$(CUDA) BLAS=$(BLAS) JPEG=$(JPEG)$(if $(SAN), SAN=$(SAN))"; }

# ---- tests ----
UNIT_S  := $(if $T$(SAN),,$(UNIT:%.c=$S/%))
# Tests of the emulator's kernels run once, under the sanitizers if they are on.
UNIT_O  := $(patsubst %.c,$O/%,$(if $(UNIT_S),$(filter-out tests/cuda/%,$(UNIT)),$(UNIT)))
export CC LDLIBS WARN BASEC LAYERS O V JOBS ISAS $(ISAS) NVCC NVCCFLAGS EMU CXX EMUCXX
export REPORTS := $(CUOBJ:.o=.ptxas)
export EMUWARN := $(if $(EMU),$(EMUSRC:%=$(if $(UNIT_S),$S,$O)/emu/%.warn))
export SOURCES := $(LIBSRC) $(CMDSRC)

# Long ones first: no processor is without work at the end.
test: all $(UNIT_O) $(UNIT_S)
	@scripts/run-tests $(or $(strip $(SHELL_T) $(UNIT_S) $(UNIT_O)),$(error no test is called '$T'))

test-arm64 test-avx512: test-%:
	@scripts/deps $(filter arm64,$*); scripts/run-tests tests/emulated/$*.sh

# Every network, shown when it is done; NETWORKS='vgg* lenet5' tries these alone.
test-zoo: all
	@JOBS=1 V=1 scripts/run-tests $(wildcard tests/zoo/*.sh)

test-interop: $O/tests/format/onnx
gpu-check: $O/tests/lib.a $(patsubst %,$O/tests/cuda/%.o,training steps replay quantised prepare plan gpu/emu)
demo test-interop bench bench-peers bench-gpu gpu-check: all
	@scripts/$@ $(and $T,$(wildcard tests/$T.py))

# ---- installing ----
BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
PAGES   := $(sort $(wildcard man/*.[1-9]))

install: all
	@mkdir -p $(BINDIR) $(sort $(foreach p,$(PAGES),$(MANDIR)/man$(subst .,,$(suffix $p))))
	install -s -m 755 $(CMDS) $(BINDIR)
	@for p in $(PAGES); do install -m 644 $$p $(MANDIR)/man$${p##*.}; done

uninstall:
	rm -f $(CMDS:bin/%=$(BINDIR)/%)
	@for p in $(PAGES); do rm -f $(MANDIR)/man$${p##*.}/$${p#man/}; done

# The tables of manual pages that come from tables in C.
pages: $O/tests/cli/pages
	@ADZE_WRITE_PAGES=1 $<

clean:
	rm -rf $B bin

format:
	clang-format -i $$(git ls-files '*.[ch]' '*.inc' '*.cu' '*.cuh' '*.cc')

FORCE:
.PHONY: all deps demo test test-arm64 test-avx512 test-zoo test-interop bench bench-peers bench-gpu gpu-check install uninstall pages clean format FORCE
# Kept, and missed where they are not there; without names no object would be.
.SECONDARY: $(foreach d,$O $S,$(UNIT:%.c=$d/%.o))
-include $(foreach d,$O $S,$(wildcard $d/lib/*/*.d $d/double/*.d $d/gen/*/*.d $d/src/*.d $d/tests/*.d $d/tests/*/*.d)) \
         $(CUOBJ:.o=.d) $(foreach d,$O $S,$(EMUSRC:%=$d/emu/%.d))
