// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace llama_gpu::test_support {

// Where the default model lies: $LLAMAGPU_TEST_MODEL, else the place where `make model` puts it. Ends the
// program with a line that says so where it is not there: a test never passes for lack of its input.
std::string default_model_path();

}  // namespace llama_gpu::test_support
