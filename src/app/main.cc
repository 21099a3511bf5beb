// SPDX-License-Identifier: Apache-2.0
#include <langinfo.h>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/fault_report.h"
#include "base/log.h"
#include "base/result.h"

namespace {

// Line editing counts characters by the locale; text is UTF-8 whatever the locale says.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace llama_gpu;
  use_utf8();
  try {
    app::Interrupts interrupts;
    app::install_signal_handlers(interrupts);
    app::report_cut_files();
    const app::Environment environment = app::Environment::of_process();
    app::Console console = app::Console::of_process(environment.get("NO_COLOR"), environment.get("TERM"));
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return app::run_cli(arguments,
                        {.console = console, .environment = environment, .interrupts = interrupts});
  } catch (const std::bad_alloc&) {
    std::fputs("llama-gpu: there is not enough memory\n", stderr);
    return error_code_info(ErrorCode::kOutOfMemory).exit_code;
  } catch (const std::exception& error) {
    log_error("the program failed", {{"reason", error.what()}});
    return 1;
  }
}
