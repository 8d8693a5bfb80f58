# adze - image classifiers from the command line
#
#   make                 build bin/adze and bin/adze-*
#   make demo            install what is missing, build, show the main job
#   make test            install what is missing, build, pass every test
#   make test T=op/conv2d     one test (tests/op/conv2d.c or tests/cli/X.sh)
#   make test-interop    ONNX Runtime, safetensors, numpy, Pillow agree
#   make bench           timings of the kernels and commands
#   make install         PREFIX=/usr/local DESTDIR=
#   make deps uninstall clean format
#
# Knobs: CC CFLAGS NVCC  CUDA=0|1 BLAS=0|1 JPEG=0|1 MPI=0|1 (found)
#        SAN=address,undefined  V=1 (show commands)

PREFIX  ?= /usr/local
CC      ?= cc
NVCC    ?= nvcc
CFLAGS  ?= -O2 -g
VERSION := 0.1.0

# Lower layers first: a file may include only from its own layer and those
# to the left.  scripts/check-layers reads this line.
LAYERS  := base tensor image graph op pass format cpu cuda run data train cli

# ---- what is here ----
have     = $(shell printf '\#include <stdio.h>\n\#include <$1>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo 1 || echo 0)
CUDA    ?= $(if $(shell command -v $(NVCC) 2>/dev/null),1,0)
BLAS    ?= $(call have,cblas.h)
JPEG    ?= $(call have,jpeglib.h)
MPI     ?= $(if $(shell command -v mpicc 2>/dev/null),1,0)
CUDA    := $(CUDA)
BLAS    := $(BLAS)
JPEG    := $(JPEG)
MPI     := $(MPI)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Wwrite-strings -Wpointer-arith -Wno-missing-field-initializers
BASEC    = -std=c11 -D_GNU_SOURCE -DADZE_VERSION='"$(VERSION)"' \
           -DADZE_BUILD='"CUDA=$(CUDA) BLAS=$(BLAS) JPEG=$(JPEG) MPI=$(MPI)"' -Ilib -I$O \
           $(WARN) -MMD -MP -ffp-contract=off -fno-math-errno -fno-trapping-math \
           -fexcess-precision=standard -include lib/base/banned.h \
           $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
LDLIBS  += -lyaml -ljansson -lxxhash -lprotobuf-c $(if $(filter 1,$(JPEG)),-ljpeg) \
           $(if $(filter 1,$(BLAS)),-lopenblas) -lm -pthread

# Objects are kept apart by everything that changes them.
KEY     := $(shell printf '%s' '$(CC) $(CFLAGS) $(CUDA) $(BLAS) $(JPEG) $(MPI) $(SAN) $(EXTRA)' | cksum | cut -d' ' -f1)
B       ?= .build
O       := $B/$(KEY)
Q       := $(if $V,,@)
say      = $(if $V,,@printf '  %-5s %s\n' $1 $2)

# ---- sources ----
# One file of each pair is built: what the machine has, or its stand-in.
SKIP    := $(if $(filter 1,$(BLAS)),lib/cpu/gemm_own.c,lib/cpu/gemm_blas.c) \
           $(if $(filter 1,$(JPEG)),lib/image/jpeg_stb.c,lib/image/jpeg_turbo.c)
CUSRC   := $(if $(filter 1,$(CUDA)),$(sort $(wildcard lib/cuda/*.cu)))
LIBSRC  := $(filter-out $(SKIP) $(if $(CUSRC),lib/cuda/none.c),\
           $(foreach l,$(LAYERS),$(sort $(wildcard lib/$l/*.c))))
GENOBJ  := $(if $(wildcard lib/format/onnx.proto),$O/format/onnx.pb-c.o) \
           $(if $(wildcard models/*.yaml),$O/format/zoo_text.o)
LIBOBJ  := $(LIBSRC:%.c=$O/%.o) $(CUSRC:%.cu=$O/%.o) $(GENOBJ)
CMDS    := $(patsubst src/%.c,bin/adze-%,$(filter-out src/adze.c,$(sort $(wildcard src/*.c)))) \
           $(patsubst src/adze.c,bin/adze,$(wildcard src/adze.c))
TESTS   := $(patsubst tests/%.c,$O/tests/%,$(sort $(wildcard tests/$(if $T,$T,*/*).c)))
TESTLIB := $(patsubst %.c,$O/%.o,$(sort $(wildcard tests/*.c)))

all: $O/libadze.a $(CMDS)

# A file's name says its instruction set.
$O/%_avx2.o:   ISA := -mavx2 -mfma -mf16c
$O/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c
$O/%_vnni.o:   ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mavx512vnni

$O/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$Q$(CC) $(BASEC) $(ISA) -c -o $@ $<

$O/%.o: %.cu
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$Q$(NVCC) -O3 -std=c++17 -Ilib -MMD -MP -c -o $@ $<

$O/format/onnx.pb-c.c: lib/format/onnx.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$Qprotoc-c --proto_path=lib/format --c_out=$(@D) $<

$O/format/onnx.pb-c.o: $O/format/onnx.pb-c.c
	$Q$(CC) -std=c11 -O2 -g $(if $(SAN),-fsanitize=$(SAN)) -MMD -MP -c -o $@ $<

# Files that include the generated header wait for it.
$O/lib/format/%.o: | $(if $(wildcard lib/format/onnx.proto),$O/format/onnx.pb-c.c)

ZOO     := $(sort $(wildcard models/*.yaml models/recipes/*.yaml))
$O/format/zoo_text.c: $(ZOO) scripts/embed
	@mkdir -p $(@D)
	$(call say,EMBED,models)
	$Qscripts/embed $(ZOO) > $@.tmp && mv $@.tmp $@

$O/format/zoo_text.o: $O/format/zoo_text.c
	$Q$(CC) $(BASEC) -c -o $@ $<

$O/libadze.a: $(LIBOBJ)
	@rm -f $@
	$(call say,AR,$@)
	$Q$(AR) qcs $@ $^

bin/adze: $O/src/adze.o $O/libadze.a $O/flags
	@mkdir -p bin
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)

bin/adze-%: $O/src/%.o $O/libadze.a $O/flags
	@mkdir -p bin
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)

# bin/ belongs to the flags that were used last.
$O/flags: FORCE
	@mkdir -p $O
	@[ -f $B/last ] && [ "$$(cat $B/last)" = $(KEY) ] && [ -f $@ ] || { echo $(KEY) > $B/last; touch $@; \
	  echo "  found: CUDA=$(CUDA) BLAS=$(BLAS) JPEG=$(JPEG) MPI=$(MPI)$(if $(SAN), SAN=$(SAN))"; }

$O/tests/%: $O/tests/%.o $(TESTLIB) $O/libadze.a
	$(call say,LD,$@)
	$Q$(CC) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

test: $(TESTS) all
	@CMOCKA_MESSAGE_OUTPUT=TAP prove $(if $V,-v) $(TESTS)

clean:
	rm -rf $B bin

FORCE:
.PHONY: all test clean FORCE
.SECONDARY:
-include $(LIBOBJ:.o=.d) $(wildcard $O/src/*.d $O/tests/*.d $O/tests/*/*.d)
