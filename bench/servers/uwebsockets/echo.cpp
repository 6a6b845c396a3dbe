// Serves the report's work with uWebSockets: sends every message back. It needs no
// compression and no TLS. It obeys the commands of package proc: it says its
// address, and answers each line of its standard input.
#include "App.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

struct Nothing {};

// cpu returns the processor time of this process in nanoseconds.
static long long cpu() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

// memory returns the resident memory of this process in bytes, less what can be given back.
static long long memory() {
    malloc_trim(0);
    long long size = 0, resident = 0;
    if (FILE *f = fopen("/proc/self/statm", "r")) {
        if (fscanf(f, "%lld %lld", &size, &resident) != 2) resident = 0;
        fclose(f);
    }
    return resident * sysconf(_SC_PAGESIZE);
}

static void obey() {
    for (std::string line; std::getline(std::cin, line);) {
        bool isCPU = line.find("\"cpu\"") != std::string::npos;
        std::cout << "{\"value\":" << (isCPU ? cpu() : memory()) << "}" << std::endl;
    }
    std::_Exit(0);
}

int main() {
    rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    uWS::App().ws<Nothing>("/*", {
        .compression = uWS::DISABLED,
        .maxPayloadLength = 2 * 1024 * 1024,
        .idleTimeout = 48,
        .maxBackpressure = 16 * 1024 * 1024,
        .sendPingsAutomatically = true,
        .message = [](auto *ws, std::string_view message, uWS::OpCode opCode) { ws->send(message, opCode); },
    }).listen("127.0.0.1", 0, [](us_listen_socket_t *listening) {
        if (!listening) std::_Exit(1);
        std::cout << "{\"value\":\"127.0.0.1:" << us_socket_local_port(0, (us_socket_t *) listening) << "\"}" << std::endl;
        std::thread(obey).detach();
    }).run();
}
