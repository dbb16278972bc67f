// How the allocator of the servers, jemalloc, is set up; what MALLOC_CONF in the environment says comes on top.

extern "C" {

// jemalloc reads this before main; see "TUNING" in its manual page.
//
// Keys lie all over the heap, and with small pages finding one waits for the page table as well as for the memory.
// Large pages are never filled to the brim, so there are few heaps to fill: one for each processor instead of four.
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,percpu_arena:percpu";

}  // extern "C"
