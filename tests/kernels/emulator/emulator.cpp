// The emulator's machine: fibers, barriers, warp operations, checks and counts. See emulator.h.
#define EMULATED_ARCH 0
#include "emulator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <vector>

#if !defined(__x86_64__)
#error "the emulator's fibers are written for x86-64"
#endif

// Saves the registers that a call must keep, and the stack; takes up another fiber's.
extern "C" void emu_switch(void** save, void* load);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
emu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace emu {

constexpr int WARP = 32, MAX_THREADS = 1024, STACK_BYTES = 64 << 10;
struct Copy { void* to; uint4 value; };
struct Request { const void* site; uintptr_t address; int bytes; bool store, active; };
struct Mark { unsigned writer, published; };  // of two bytes: block + 1 and the fence after the store; 0: none yet
struct Stored { Mark* marks; int count; };
struct Fiber {
    void* stack;
    dim3 thread;
    State state;
    WarpOp op;
    void* arg;
    std::vector<std::vector<Copy>> groups;  // committed, oldest first
    std::vector<Copy> open;
    std::vector<Request> accesses;
    std::vector<Stored> unpublished;
    unsigned fenced;  // which fence was this thread's last
};

static Fiber sets[2][MAX_THREADS];
static Fiber* fibers = sets[0];  // of the block that runs; the second set while the first block is held back
static char* stacks;
static Fiber* self;
static void* scheduler;
Block current;
static std::vector<Range> ranges;
static std::vector<std::vector<Mark>> marks;  // of each range that this launch has stored to
static unsigned fences;
static bool counting;
static char failure[512];
static void (*entry)();

void yield(State state)
{
    self->state = state;
    emu_switch(&self->stack, scheduler);
}

template <class... A> static void fail(const char* format, A... args)
{
    char text[300];
    snprintf(text, sizeof text, format, args...);
    if (!failure[0])
        snprintf(failure, sizeof failure, "%s (block %u,%u,%u thread %u,%u)", text, current.index.x, current.index.y, current.index.z,
                 self->thread.x, self->thread.y);
    for (;;) yield(ENDED);
}

// What other blocks make of an access, or have made of it.
static void check_order(size_t range, uintptr_t address, int bytes, Access access)
{
    if (access == Access::counter || (access != Access::store && marks[range].empty())) return;
    if (marks[range].empty()) marks[range].resize(ranges[range].bytes / 2);
    Mark* at = &marks[range][(address - ranges[range].begin) / 2];
    const unsigned block = (current.index.z * current.grid.y + current.index.y) * current.grid.x + current.index.x;
    for (int i = 0; i < bytes / 2; i++) {
        const bool others = at[i].writer && at[i].writer != block + 1;
        if (access == Access::read_only && at[i].writer) fail("read-only load of what this launch stores, in buffer %d", (int)range);
        if (access == Access::fresh && others && (!at[i].published || self->fenced < at[i].published))
            fail("load of what another block stores, without a fence between, in buffer %d", (int)range);
        if (access == Access::store && others) fail("store where block %u has stored, in buffer %d", at[i].writer - 1, (int)range);
        if (access == Access::store) at[i] = {block + 1, 0};
    }
    if (access == Access::store) self->unpublished.push_back({at, bytes / 2});
}

// What this thread stored is now there for the others; what they stored before their fences is there for it.
void fence()
{
    fences++;
    for (const Stored& s : self->unpublished)
        for (int i = 0; i < s.count; i++) s.marks[i].published = fences;
    self->unpublished.clear();
    self->fenced = fences;
}

// Checks one access and, when counting, remembers it. The return address tells the loads of a source apart.
void touch(const void* p, int bytes, Access access, bool active)
{
    const uintptr_t address = (uintptr_t)p;
    const bool store = access >= Access::store;
    if (counting) self->accesses.push_back({__builtin_return_address(0), address, bytes, store, active});
    if (!active) return;
    const char* what = store ? "store" : "load";
    if (address % bytes) fail("misaligned %s of %d bytes", what, bytes);
    for (size_t i = 0; i < ranges.size(); i++)
        if (address >= ranges[i].begin && address + bytes <= ranges[i].begin + ranges[i].bytes) return check_order(i, address, bytes, access);
    int nearest = 0;
    for (size_t i = 1; i < ranges.size(); i++)
        if (std::llabs((long long)(address - ranges[i].begin)) < std::llabs((long long)(address - ranges[nearest].begin))) nearest = i;
    fail("%s of %d bytes out of bounds, %lld bytes from the start of buffer %d of %llu bytes", what, bytes,
         (long long)(address - ranges[nearest].begin), nearest, (unsigned long long)ranges[nearest].bytes);
}

void warp_sync(WarpOp op, void* arg)
{
    self->op = op;
    self->arg = arg;
    yield(AT_WARP);
}

static void start() { entry(); for (;;) yield(ENDED); }

static void prepare(Fiber& f, int index)
{
    void** top = (void**)(stacks + (size_t)((&f - sets[0]) + 1) * STACK_BYTES) - 3;  // a function starts 8 bytes off a multiple of 16
    *--top = (void*)start;  // emu_switch returns into it
    top -= 6;
    f.stack = top;
    f.state = READY;
    f.thread = {index % current.size.x, index / current.size.x % current.size.y, index / (current.size.x * current.size.y)};
    f.groups.clear();
    f.open.clear();
    f.accesses.clear();
    f.unpublished.clear();
    f.fenced = 0;
}

template <class... A> static void fail_block(const char* format, A... args)
{
    char text[300];
    snprintf(text, sizeof text, format, args...);
    if (!failure[0]) snprintf(failure, sizeof failure, "%s (block %u,%u,%u)", text, current.index.x, current.index.y, current.index.z);
}

// One warp until all its lanes wait at a barrier or have ended.
static void run_warp(int first, bool reverse)
{
    for (;;) {
        int ended = 0, at_warp = 0;
        for (int i = 0; i < WARP; i++) {
            self = &fibers[first + (reverse ? WARP - 1 - i : i)];
            if (self->state == READY) emu_switch(&scheduler, self->stack);
            ended += self->state == ENDED;
            at_warp += self->state == AT_WARP;
        }
        if (failure[0] || !at_warp) return;
        if (at_warp != WARP) return fail_block("warp operation with %d of 32 lanes", at_warp);
        void* args[WARP];
        for (int i = 0; i < WARP; i++) {
            args[i] = fibers[first + i].arg;
            if (fibers[first + i].op != fibers[first].op) return fail_block("lanes of a warp at %d different operations", 2);
            fibers[first + i].state = READY;
        }
        if (fibers[first].op) fibers[first].op(args);
    }
}

// others: what happens in round `stall` (a round ends at a barrier), when only the first warp of this block has run.
static void run_block(int threads, bool reverse, char* shared_begin, char* shared_end, int stall, const std::function<void()>& others)
{
    memset(shared_begin, 0xff, shared_end - shared_begin);  // NaN in every float and half
    for (int t = 0; t < threads; t++) prepare(fibers[t], t);
    for (int round = 0;; round++) {
        for (int w = 0; w < threads / WARP && !failure[0]; w++) {
            run_warp((reverse ? threads / WARP - 1 - w : w) * WARP, reverse);
            if (round == stall && w == 0) others();
        }
        if (failure[0]) return;
        int waiting = 0;
        for (int t = 0; t < threads; t++) waiting += fibers[t].state == AT_BARRIER;
        if (!waiting && round < stall) others();
        if (!waiting) return;
        if (waiting != threads) return fail_block("barrier with %d of %d threads", waiting, threads);
        for (int t = 0; t < threads; t++) fibers[t].state = READY;
    }
}

// Sectors of one request: distinct 32-byte pieces of memory touched, and how few would hold the distinct bytes.
static void count_request(const std::vector<const Request*>& lanes, Count* counts)
{
    std::vector<uintptr_t> words, sectors;
    Count* count = nullptr;
    for (const Request* a : lanes) {
        if (!a->active) continue;
        for (size_t r = 0; r < ranges.size() && !count; r++)
            if (a->address >= ranges[r].begin && a->address < ranges[r].begin + ranges[r].bytes) count = &counts[2 * r + a->store];
        for (int b = 0; b < a->bytes; b += 2) words.push_back((a->address + b) / 2);
        count->bytes += a->bytes;
    }
    if (!count) return;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (uintptr_t w : words) sectors.push_back(w / 16);
    sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
    count->requests++;
    count->sectors += sectors.size();
    count->ideal += (words.size() + 15) / 16;
}

// A request is what the lanes of one warp ask for in the same place of the source the same time round.
static void count_warp(const Fiber* lanes, Count* counts)
{
    std::map<std::pair<const void*, int>, std::vector<const Request*>> requests;
    for (int i = 0; i < WARP; i++) {
        std::map<const void*, int> times;
        for (const Request& a : lanes[i].accesses) requests[{a.site, times[a.site]++}].push_back(&a);
    }
    for (const auto& r : requests) count_request(r.second, counts);
}

// Runs a whole grid. counts: two (loads, stores) per buffer, or null. Returns null, or what went wrong.
const char* run(const unsigned* sizes, const Range* buffers, int buffer_count, bool reverse, int stall, Count* counts,
                void (*kernel)(), char* shared_begin, char* shared_end)
{
    if (!stacks) stacks = (char*)aligned_alloc(64, (size_t)2 * MAX_THREADS * STACK_BYTES);
    const dim3 g = current.grid = {sizes[0], sizes[1], sizes[2]};
    current.size = {sizes[3], sizes[4], sizes[5]};
    ranges.assign(buffers, buffers + buffer_count);
    marks.assign(buffer_count, {});
    fences = 0;
    counting = counts != nullptr;
    failure[0] = 0;
    entry = kernel;
    const int threads = current.size.x * current.size.y * current.size.z;
    const unsigned blocks = g.x * g.y * g.z;
    if (threads % WARP || threads > MAX_THREADS) return "blocks must have a multiple of 32 threads, at most 1024";
    auto one = [&](unsigned i, int stall_round, const std::function<void()>& others) {
        const unsigned b = reverse ? blocks - 1 - i : i;
        current.index = {b % g.x, b / g.x % g.y, b / (g.x * g.y)};
        run_block(threads, reverse, shared_begin, shared_end, stall_round, others);
        for (int w = 0; counting && w < threads; w += WARP) count_warp(&fibers[w], counts);
    };
    auto all_others = [&] {
        const std::vector<char> shared(shared_begin, shared_end);
        const dim3 index = current.index;
        if (stall >= 0) fibers = sets[1];
        for (unsigned i = 1; i < blocks && !failure[0]; i++) one(i, -1, [] {});
        if (stall < 0) return;
        fibers = sets[0];
        current.index = index;
        std::copy(shared.begin(), shared.end(), shared_begin);
    };
    one(0, stall, all_others);
    if (stall < 0 && !failure[0]) all_others();
    return failure[0] ? failure : nullptr;
}

// The tensor core: gathers the fragments of all lanes, multiplies, hands the sums back.
void mma(void** lanes)
{
    float a[16][16], b[16][8];
    for (int l = 0; l < WARP; l++) {
        const MmaArgs& m = *(MmaArgs*)lanes[l];
        const int g = l / 4, t = l % 4 * 2;
        const unsigned parts[4] = {m.a->x, m.a->y, m.a->z, m.a->w}, bs[2] = {m.b0, m.b1};
        for (int r = 0; r < 4; r++)
            for (int h = 0; h < 2; h++) a[g + r % 2 * 8][t + h + r / 2 * 8] = half_to_float(parts[r] >> 16 * h & 0xffff);
        for (int r = 0; r < 2; r++)
            for (int h = 0; h < 2; h++) b[t + h + r * 8][g] = half_to_float(bs[r] >> 16 * h & 0xffff);
    }
    float c[16][8] = {};
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++) c[i][j] += a[i][k] * b[k][j];
    for (int l = 0; l < WARP; l++)
        for (int r = 0; r < 4; r++) ((MmaArgs*)lanes[l])->c[r] += c[l / 4 + r / 2 * 8][l % 4 * 2 + r % 2];
}

// A call, not a function of the header: inlined one into another, g++ 12 leaves out the rounding between them.
unsigned fma_halves(unsigned a, unsigned b, unsigned c)
{
    unsigned sums = 0;
    for (int h = 0; h < 2; h++) {
        const double product = (double)half_to_float(a >> 16 * h & 0xffff) * half_to_float(b >> 16 * h & 0xffff);
        const _Float16 sum = (_Float16)(product + half_to_float(c >> 16 * h & 0xffff));
        half_t bits;
        memcpy(&bits, &sum, 2);
        sums |= (unsigned)bits << 16 * h;
    }
    return sums;
}

void shuffle(void** lanes)
{
    for (int l = 0; l < WARP; l++) {
        ShuffleArgs& s = *(ShuffleArgs*)lanes[l];
        s.result = ((ShuffleArgs*)lanes[l ^ s.mask])->value;
    }
}

const dim3& thread_index() { return self->thread; }
void copy_later(void* shared, const uint4& value) { self->open.push_back({shared, value}); }
void close_group()
{
    self->groups.push_back(std::move(self->open));
    self->open.clear();
}
void wait_groups(int pending)
{
    while ((int)self->groups.size() > pending) {
        for (const Copy& c : self->groups.front()) memcpy(c.to, &c.value, 16);
        self->groups.erase(self->groups.begin());
    }
}
}  // namespace emu

// What g++ calls (-fsanitize=bounds) before an index beyond an array: of shared memory, where no address is checked, or of a thread.
extern "C" void __ubsan_handle_out_of_bounds(void*, uintptr_t index)
{
    emu::fail("index %lld beyond an array of shared memory or of the thread", (long long)index);
}
