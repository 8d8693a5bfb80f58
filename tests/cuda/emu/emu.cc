/* emu.cc -- runs the threads of a grid on the CPU, and finds their faults.
 * SPDX-License-Identifier: MIT
 *
 * Threads are fibres, but few: on one fibre thread after thread runs to its
 * end; a thread that must wait keeps the fibre, and the next ones go on on
 * another.  So a kernel without barriers costs a call for each thread, and
 * one with barriers a switch for each wait.
 *
 * Who goes on is drawn at random among those that can, from the seed alone,
 * so that a run can be repeated.  Shared memory and what a block has not
 * written hold NaN patterns.  */
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "../emu.h"
#include "run.h"

#ifdef __SANITIZE_ADDRESS__
#    include <sanitizer/common_interface_defs.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* shared.ld; NULL where the linker knows no such script. */
extern "C" {
extern char emu_shared_begin[] __attribute__((weak));
extern char emu_shared_end[] __attribute__((weak));
void emu_swap(void **save, void *load);
}

namespace
{
using emu::site;

struct fibre {
    void *sp;
    char *stack; /* of the program itself: known to the sanitizer alone */
    size_t bytes;
    void *fake;
};

enum state { READY, AT_BARRIER, IN_WARP, ENDED };

struct copy {
    void *to;
    const void *from; /* NULL: zeros */
    int group;
};

struct thread {
    enum state state;
    uint3 index;
    struct fibre *fibre;
    int result; /* of the barrier */

    /* what it waits for */
    site at;
    unsigned mask;
    void *mine;
    emu::combine combine;

    std::vector<copy> copies;
    int groups;
};

/* Bits of lanes.  */
struct warp {
    unsigned there, waits, ended;
};

/* The block that runs. */
struct block {
    const emu::grid *grid;
    std::vector<thread> threads;
    std::vector<warp> warps;
    std::vector<unsigned> fresh; /* not started yet */
    std::vector<unsigned> ready;
    unsigned me, live, waiting;
    int votes;
    site barrier; /* of the first that waits there */
    void *shared;
} now;

uint64_t seed;
uint64_t launches;
fibre program, *on = &program, *came;
struct fibres : std::vector<fibre *> {
    ~fibres(); /* so that the sanitizer finds no leak */
} idle;
std::mutex busy;

/* ---- chance ---- */
uint64_t drawn;

uint64_t draw() /* splitmix64, Steele et al. 2014 */
{
    uint64_t x = drawn += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

unsigned below(unsigned n)
{
    return (unsigned)((draw() >> 32) * n >> 32);
}

/* One of V, taken out. */
unsigned take(std::vector<unsigned> &v)
{
    unsigned i = below((unsigned)v.size()), x = v[i];

    v[i] = v.back();
    v.pop_back();
    return x;
}

/* ---- faults ---- */
void print_place(const site &at)
{
    const char *file = at.file_name(), *slash = strrchr(file, '/');

    fprintf(stderr, "%s:%u", slash ? slash + 1 : file, at.line());
}

void print_name(unsigned i)
{
    const uint3 &t = now.threads[i].index;

    fprintf(stderr, "thread (%u,%u,%u)", t.x, t.y, t.z);
}

/* What thread I does instead of what is expected of it. */
void print_doing(unsigned i)
{
    const thread &t = now.threads[i];

    print_name(i);
    if (t.state == ENDED) {
        fprintf(stderr, " has ended");
    } else if (t.state == READY) {
        fprintf(stderr, " has not come there");
    } else {
        fprintf(stderr, " waits at ");
        print_place(t.at);
        if (t.state == IN_WARP)
            fprintf(stderr, " with mask %08x", t.mask);
    }
}

void print_head(const site &at)
{
    fprintf(stderr, "emu: ");
    print_place(at);
    fprintf(stderr, ": %s, launched at ", at.function_name());
    print_place(now.grid->at);
    fprintf(stderr, ": block (%u,%u,%u) ", blockIdx.x, blockIdx.y, blockIdx.z);
}

/* ME waits at AT for OTHER, in vain. */
[[noreturn]] void fault_of_two(const site &at, unsigned me, const char *what, unsigned other)
{
    print_head(at);
    print_name(me);
    fprintf(stderr, ": %s: ", what);
    print_doing(other);
    fprintf(stderr, "\n");
    abort();
}

/* Names are mostly one text, and strcmp() under the sanitizer is slow.  */
bool same(const site &a, const site &b)
{
    return a.line() == b.line() && a.column() == b.column() &&
           (a.file_name() == b.file_name() || !strcmp(a.file_name(), b.file_name()));
}

/* ---- fibres ---- */
/* As large as what frames need under the sanitizer; pages that are not
 * touched cost nothing.  */
enum { STACK = 256 << 10 };

void switch_to(fibre *to)
{
    fibre *from = on;

    on = to;
    came = from;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->fake, to->stack, to->bytes);
#endif
    emu_swap(&from->sp, to->sp);
#ifdef __SANITIZE_ADDRESS__
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(from->fake, &stack, &bytes);
    came->stack = (char *)stack, came->bytes = bytes;
#endif
}

void run_threads();

void fibre_main()
{
#ifdef __SANITIZE_ADDRESS__
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(nullptr, &stack, &bytes);
    came->stack = (char *)stack, came->bytes = bytes;
#endif
    for (;;)
        run_threads();
}

/* The page below the stack faults. */
fibre *fibre_new()
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = (char *)mmap(nullptr, STACK + page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED || mprotect(p, page, PROT_NONE)) {
        perror("emu: no stack");
        abort();
    }
    fibre *f = new fibre{nullptr, p + page, STACK, nullptr};
    void **top = (void **)(p + page + STACK);
#if defined __x86_64__
    top[-2] = (void *)fibre_main; /* where emu_swap returns to */
    f->sp = top - 8;
#elif defined __aarch64__
    top[-20 + 11] = (void *)fibre_main; /* x30 */
    f->sp = top - 20;
#else
#    error "emu_swap is not written for this processor"
#endif
    return f;
}

fibres::~fibres()
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (fibre *f : *this) {
        munmap(f->stack - page, f->bytes + page);
        delete f;
    }
}

fibre *fibre_get()
{
    if (idle.empty())
        return fibre_new();
    fibre *f = idle.back();
    idle.pop_back();
    return f;
}

/* ---- turns ---- */
void go_on_as(unsigned i)
{
    now.me = i;
    threadIdx = now.threads[i].index;
}

/* Threads are left that all wait for something. */
[[noreturn]] void stuck()
{
    for (unsigned i = 0; i < now.threads.size(); i++) {
        const thread &t = now.threads[i];
        if (t.state != IN_WARP)
            continue;
        for (unsigned l = 0; l < 32; l++) {
            unsigned j = i / 32 * 32 + l;
            if (t.mask >> l & 1 &&
                (now.threads[j].state != IN_WARP || now.threads[j].mask != t.mask))
                fault_of_two(t.at, i, "a lane of its mask does not come", j);
        }
    }
    unsigned waits = 0, other = 0;
    for (unsigned i = 0; i < now.threads.size(); i++)
        (now.threads[i].state == AT_BARRIER ? waits : other) = i;
    fault_of_two(now.threads[waits].at, waits, "not all come to the barrier", other);
}

/* Whether a thread that can go on is drawn, or a fresh one (false). */
bool draw_ready()
{
    size_t n = now.ready.size() + now.fresh.size();

    if (!n)
        stuck();
    return below((unsigned)n) < now.ready.size();
}

/* The thread that runs has to wait. */
void wait()
{
    unsigned me = now.me;

    now.threads[me].fibre = on;
    if (!draw_ready()) {
        switch_to(fibre_get());
    } else {
        unsigned next = take(now.ready);
        go_on_as(next);
        if (next != me)
            switch_to(now.threads[next].fibre);
    }
    go_on_as(me);
}

/* Threads that have not started, until others are to go on. */
void run_threads()
{
    do {
        unsigned me = take(now.fresh);
        go_on_as(me);
        now.grid->thread();
        now.threads[me].state = ENDED;
        now.warps[me / 32].ended |= 1u << me % 32;
        if (!--now.live)
            break;
    } while (!draw_ready());
    idle.push_back(on);
    if (!now.live) {
        switch_to(&program);
    } else {
        unsigned next = take(now.ready);
        go_on_as(next);
        switch_to(now.threads[next].fibre);
    }
}

/* ---- blocks ---- */
__attribute__((no_sanitize("address"))) void poison_shared()
{
    typedef uint64_t line __attribute__((vector_size(64))); /* as shared.ld aligns it */

    for (volatile line *p = (line *)emu_shared_begin; p < (line *)emu_shared_end; p++)
        *p = line{} - 1;
    if (now.shared)
        memset(now.shared, 0xff, now.grid->shared_bytes);
}

void run_block(unsigned n)
{
    const dim3 &size = blockDim;

    poison_shared();
    now.live = n, now.waiting = 0, now.votes = 0;
    now.fresh.resize(n);
    now.warps.assign((n + 31) / 32, {~0u, 0, 0});
    now.warps.back().there >>= -n % 32;
    for (unsigned i = 0; i < n; i++) {
        thread &t = now.threads[i];
        t.state = READY;
        t.index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
        t.copies.clear();
        t.groups = 0;
        now.fresh[i] = i;
    }
    switch_to(fibre_get());
}

void barrier_open()
{
    for (unsigned i = 0; i < now.threads.size(); i++) {
        now.threads[i].state = READY;
        now.threads[i].result = now.votes;
        now.ready.push_back(i);
    }
    now.waiting = 0, now.votes = 0;
}

/* The first lane of SET in the warp of ME.  */
unsigned first_of(unsigned me, unsigned set)
{
    return me / 32 * 32 + (unsigned)std::countr_zero(set);
}

/* Lanes of the warp of ME that its mask names do the same, or may still.  One
 * of those that wait stands for all: each was looked at when it came.  */
bool warp_is_there(unsigned me)
{
    const warp &w = now.warps[me / 32];
    const thread &t = now.threads[me];
    unsigned others = w.waits & ~t.mask;

    if (t.mask & ~w.there)
        emu::fault(t.at, "mask %08x names lanes that the block does not have", t.mask);
    if (t.mask & w.ended)
        fault_of_two(t.at, me, "a lane of its mask does not come", first_of(me, t.mask & w.ended));
    if (t.mask & w.waits) {
        unsigned i = first_of(me, t.mask & w.waits);
        const thread &u = now.threads[i];
        if (u.mask != t.mask)
            fault_of_two(t.at, me, "lanes disagree on the mask", i);
        if (u.combine != t.combine || !same(u.at, t.at))
            fault_of_two(t.at, me, "lanes disagree on the operation", i);
    }
    for (; others; others &= others - 1)
        if (now.threads[first_of(me, others)].mask >> me % 32 & 1)
            fault_of_two(t.at, me, "lanes disagree on the mask", first_of(me, others));
    return !(t.mask & ~w.waits & ~(1u << me % 32));
}

void warp_go(unsigned me, unsigned mask)
{
    void *lane[32] = {};
    unsigned first = me / 32 * 32;

    for (unsigned l = 0; l < 32; l++)
        if (mask >> l & 1)
            lane[l] = now.threads[first + l].mine;
    now.threads[me].combine(lane, mask);
    now.warps[me / 32].waits &= ~mask;
    for (unsigned l = 0; l < 32; l++)
        if (mask >> l & 1) {
            now.threads[first + l].state = READY;
            now.ready.push_back(first + l);
        }
}
} // namespace

/* ---- for kernels ---- */
void emu::fault(const site &at, const char *format, ...)
{
    va_list ap;

    print_head(at);
    print_name(now.me);
    fprintf(stderr, ": ");
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    abort();
}

int emu::barrier(int vote, const site &at)
{
    thread &t = now.threads[now.me];

    t.state = AT_BARRIER, t.at = at;
    if (!now.waiting++)
        now.barrier = at;
    else if (!same(now.barrier, at))
        for (unsigned i = 0; i < now.threads.size(); i++)
            if (now.threads[i].state == AT_BARRIER && !same(now.threads[i].at, at))
                fault_of_two(at, now.me, "threads come to different barriers", i);
    now.votes += vote;
    if (now.waiting == now.threads.size())
        barrier_open();
    wait();
    return t.result;
}

void emu::warp(unsigned mask, void *mine, combine c, const site &at)
{
    thread &t = now.threads[now.me];

    t.state = IN_WARP, t.at = at, t.mask = mask, t.mine = mine, t.combine = c;
    if (!(mask >> lane() & 1))
        fault(at, "mask %08x is without the lane itself, %d", mask, lane());
    const bool all = warp_is_there(now.me);
    now.warps[now.me / 32].waits |= 1u << lane();
    if (all)
        warp_go(now.me, mask);
    wait();
}

int emu::lane()
{
    return (int)(now.me % 32);
}

void *emu::dynamic_shared()
{
    return now.shared;
}

void emu::check_shared(const void *p, size_t n, const site &at)
{
    const char *c = (const char *)p, *dynamic = (const char *)now.shared;
    bool fixed = c >= emu_shared_begin && c + n <= emu_shared_end;
    bool own = dynamic && c >= dynamic && c + n <= dynamic + now.grid->shared_bytes;

    if (emu_shared_begin && !fixed && !own)
        fault(at, "%p is not in shared memory", p);
    if ((uintptr_t)p % n)
        fault(at, "%p is not aligned to %zu bytes", p, n);
}

/* Until the copy is waited for, what it will overwrite is not a number. */
void emu::copy_start(void *to, const void *from, int valid, const site &at)
{
    thread &t = now.threads[now.me];

    check_shared(to, 16, at);
    if ((uintptr_t)from % 16)
        fault(at, "%p is not aligned to 16 bytes", from);
    memset(to, 0xff, 16);
    t.copies.push_back({to, valid ? from : nullptr, t.groups});
}

void emu::copy_commit()
{
    now.threads[now.me].groups++;
}

void emu::copy_wait(int left)
{
    thread &t = now.threads[now.me];
    size_t kept = 0;

    for (const copy &c : t.copies)
        if (c.group >= t.groups - left)
            t.copies[kept++] = c;
        else if (c.from)
            memcpy(c.to, c.from, 16);
        else
            memset(c.to, 0, 16);
    t.copies.resize(kept);
}

/* ---- for runtime.cc and tests ---- */
void emu::run(const grid &g)
{
    std::lock_guard<std::mutex> lock(busy);
    unsigned n = g.blocks.x * g.blocks.y * g.blocks.z;
    unsigned threads = g.threads.x * g.threads.y * g.threads.z;
    std::vector<unsigned> order(n);

    drawn = seed + launches++;
    now.grid = &g;
    now.threads.resize(threads);
    now.shared = nullptr;
    if (g.shared_bytes && posix_memalign(&now.shared, 128, g.shared_bytes))
        abort();
    gridDim = g.blocks, blockDim = g.threads;
    for (unsigned i = 0; i < n; i++)
        order[i] = i;
    for (unsigned i = 0; i < n; i++) {
        unsigned b = take(order);
        blockIdx = {b % g.blocks.x, b / g.blocks.x % g.blocks.y, b / g.blocks.x / g.blocks.y};
        run_block(threads);
    }
    free(now.shared);
}

int emu_present(void)
{
    return 1;
}

void emu_seed(uint64_t s)
{
    seed = s * 0xd1342543de82ef95; /* not the step of draw() */
    launches = 0;
}

uint64_t emu_launches(void)
{
    return launches;
}

/* Registers that a call keeps are saved on the stack, then it is changed. */
#if defined __x86_64__
asm(".pushsection .text\n"
    ".globl emu_swap\n"
    ".type emu_swap, @function\n"
    "emu_swap:\n"
    "push %rbp\n"
    "push %rbx\n"
    "push %r12\n"
    "push %r13\n"
    "push %r14\n"
    "push %r15\n"
    "mov %rsp, (%rdi)\n"
    "mov %rsi, %rsp\n"
    "pop %r15\n"
    "pop %r14\n"
    "pop %r13\n"
    "pop %r12\n"
    "pop %rbx\n"
    "pop %rbp\n"
    "ret\n"
    ".size emu_swap, . - emu_swap\n"
    ".popsection\n");
#elif defined __aarch64__
asm(".pushsection .text\n"
    ".globl emu_swap\n"
    ".type emu_swap, %function\n"
    "emu_swap:\n"
    "sub sp, sp, 160\n"
    "stp x19, x20, [sp]\n"
    "stp x21, x22, [sp, 16]\n"
    "stp x23, x24, [sp, 32]\n"
    "stp x25, x26, [sp, 48]\n"
    "stp x27, x28, [sp, 64]\n"
    "stp x29, x30, [sp, 80]\n"
    "stp d8, d9, [sp, 96]\n"
    "stp d10, d11, [sp, 112]\n"
    "stp d12, d13, [sp, 128]\n"
    "stp d14, d15, [sp, 144]\n"
    "mov x9, sp\n"
    "str x9, [x0]\n"
    "mov sp, x1\n"
    "ldp x19, x20, [sp]\n"
    "ldp x21, x22, [sp, 16]\n"
    "ldp x23, x24, [sp, 32]\n"
    "ldp x25, x26, [sp, 48]\n"
    "ldp x27, x28, [sp, 64]\n"
    "ldp x29, x30, [sp, 80]\n"
    "ldp d8, d9, [sp, 96]\n"
    "ldp d10, d11, [sp, 112]\n"
    "ldp d12, d13, [sp, 128]\n"
    "ldp d14, d15, [sp, 144]\n"
    "add sp, sp, 160\n"
    "ret\n"
    ".size emu_swap, . - emu_swap\n"
    ".popsection\n");
#endif
