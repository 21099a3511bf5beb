// SPDX-License-Identifier: Apache-2.0
//
// The vector layer on AVX-512 F, BW, VL, DQ and VNNI: one register holds a vector. isa/scalar.h says what
// each name means.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace llama_gpu::cpu {

// As isa/scalar.h, in one register of 64 bytes.
struct Avx512 {
  static constexpr const char* kName = "avx512";
  static constexpr int kDirectRows = 8;
  static constexpr int kDirectPanelRows = 4;
  static constexpr int kProductTiles = 2;
  static constexpr int kProductRows = 6;
  static constexpr int kQueries = 6;
  static constexpr int kValueVectors = 4;
  static constexpr int kStoredBias = 128;

  using F = __m512;
  using I = __m512i;
  struct B {  // a type of its own, so that bytes are not taken for integers
    __m512i v;
  };

  // Making vectors, loading and storing.
  static F zero() { return _mm512_setzero_ps(); }
  static F set1(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
  static __mmask16 first(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static F load_first(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_first(float* p, F a, int64_t n) { _mm512_mask_storeu_ps(p, first(n), a); }
  static F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F load_bf16(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static void store_f16(uint16_t* p, F a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  // Arithmetic on floats, lane by lane, and reductions.
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F first_of(int64_t n, F a, F b) { return _mm512_mask_blend_ps(first(n), b, a); }
  static float sum(F a) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  static float largest(F a) { return _mm512_reduce_max_ps(a); }
  static F rotate_pairs(F x, F angles) {
    const F swapped = _mm512_permute_ps(x, 0xB1);
    return _mm512_fmaddsub_ps(x, _mm512_moveldup_ps(angles),
                              _mm512_mul_ps(swapped, _mm512_movehdup_ps(angles)));
  }
  static void load_pairs(const float* p, F& even, F& odd) {
    const __m512i lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const F low = load(p), high = load(p + 16);
    even = _mm512_permutex2var_ps(low, lanes, high);
    odd = _mm512_permutex2var_ps(low, _mm512_add_epi32(lanes, _mm512_set1_epi32(1)), high);
  }

  // Integers.
  static I zero_int() { return _mm512_setzero_si512(); }
  static I set1_int(int32_t x) { return _mm512_set1_epi32(x); }
  static I load_bytes(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I load_bytes(const int8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I add(I a, I b) { return _mm512_add_epi32(a, b); }
  static I bit_and(I a, I b) { return _mm512_and_si512(a, b); }
  static I bit_or(I a, I b) { return _mm512_or_si512(a, b); }
  template <int n>
  static I shift_left(I a) {
    return _mm512_slli_epi32(a, n);
  }
  template <int n>
  static I shift_right(I a) {
    return _mm512_srli_epi32(a, n);
  }
  static I max(I a, I b) { return _mm512_max_epi32(a, b); }
  static int32_t sum(I a) { return _mm512_reduce_add_epi32(a); }
  static int32_t largest(I a) { return _mm512_reduce_max_epi32(a); }
  static I bits_of(F a) { return _mm512_castps_si512(a); }
  static F float_of_bits(I a) { return _mm512_castsi512_ps(a); }
  static F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  static I to_int(F a) { return _mm512_cvtps_epi32(a); }
  static void store_bytes(int8_t* p, I a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a));
  }

  // Bytes: four to a lane.
  static B load_block(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  static void store_block(uint8_t* p, B a) { _mm512_storeu_si512(p, a.v); }
  static B low_nibbles(B a) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(15))}; }
  static B high_nibbles(B a) { return low_nibbles({_mm512_srli_epi16(a.v, 4)}); }
  template <int i>
  static B with_high_bits(B low, B high) {
    const __m512i moved = i < 2 ? _mm512_slli_epi16(high.v, i < 2 ? 4 - 2 * i : 0)
                                : _mm512_srli_epi16(high.v, i < 2 ? 0 : 2 * i - 4);
    return {_mm512_or_si512(low.v, _mm512_and_si512(moved, _mm512_set1_epi8(0x30)))};
  }
  static B broadcast4(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return {_mm512_set1_epi32(four)};
  }
  // Not _mm512_dpbusd_epi32: with it g++ 12 copies the accumulator before each use and spills.
  static I dot4_u7(I acc, B w, B x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(w.v), "v"(x.v));
    return acc;
  }
  static I dot4_s8(I acc, B w, B x) { return dot4_u7(acc, w, x); }  // the instruction takes all of 0..255
};

}  // namespace llama_gpu::cpu
