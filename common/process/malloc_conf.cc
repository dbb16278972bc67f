// How the allocator of the servers, jemalloc, is set up; what MALLOC_CONF in the environment says comes on top.

extern "C" {

// jemalloc reads this before main; see "TUNING" in its manual page.
//
// Keys lie all over the heap, and with small pages finding one waits for the page table as well as for the memory.
// Large pages are never filled to the brim, so there are two heaps instead of four for each processor: threads seldom
// meet there, as each has a cache of its own. More event loops than two may want more.
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,narenas:2";

}  // extern "C"
