// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace llama_gpu::app {

// From now on a page of a mapped file that another program cut off ends this process with one line on stderr
// and the exit code of kModelChanged, instead of by SIGBUS without a word. Whatever reads a mapping checks
// the file before, so this is for the moment between check and read. Call once, before threads start.
void report_cut_files();

}  // namespace llama_gpu::app
