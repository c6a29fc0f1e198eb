// Under the address sanitizer no single allocation may pass 1 GiB; one that would is a crash.
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=1024"; }
