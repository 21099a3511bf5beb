// SPDX-License-Identifier: Apache-2.0
// Asio and Beast, compiled once (BOOST_ASIO_SEPARATE_COMPILATION): 25 seconds here instead of in each file.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
