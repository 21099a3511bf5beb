// SPDX-License-Identifier: Apache-2.0
//
// The vector layer on AVX2, FMA and F16C: two registers hold a vector. isa/scalar.h says what each name
// means.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace llama_gpu::cpu {

// As isa/scalar.h, in two registers of 32 bytes.
struct Avx2 {
  static constexpr const char* kName = "avx2";
  static constexpr int kDirectRows = 4;
  static constexpr int kDirectPanelRows = 2;
  static constexpr int kProductTiles = 1;
  static constexpr int kProductRows = 3;
  static constexpr int kQueries = 3;
  static constexpr int kValueVectors = 1;
  static constexpr int kStoredBias = 0;

  // The three kinds of vectors.
  struct F {
    __m256 lo, hi;
  };
  struct I {
    __m256i lo, hi;
  };
  struct B {
    __m256i lo, hi;
  };

  // Making vectors, loading and storing.
  static F zero() { return set1(0.0f); }
  static F set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
  }
  // All bits set in the lanes from `first_lane` that are below n.
  static __m256i below(int64_t n, int first_lane) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n) - first_lane), lanes);
  }
  static F load_first(const float* p, int64_t n) {
    return {_mm256_maskload_ps(p, below(n, 0)), _mm256_maskload_ps(p + 8, below(n, 8))};
  }
  static void store_first(float* p, F a, int64_t n) {
    _mm256_maskstore_ps(p, below(n, 0), a.lo);
    _mm256_maskstore_ps(p + 8, below(n, 8), a.hi);
  }
  static __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static F load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))};
  }
  static F load_bf16(const uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(p)), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(p + 8)), 16))};
  }
  static void store_f16(uint16_t* p, F a) {
    constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, kRounding));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, kRounding));
  }

  // Arithmetic on floats, lane by lane, and reductions.
  static F add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static F mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  static F first_of(int64_t n, F a, F b) {
    return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(below(n, 0))),
            _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(below(n, 8)))};
  }
  static float sum(F a) {
    const __m256 half = _mm256_add_ps(a.lo, a.hi);
    const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  static float largest(F a) {
    const __m256 half = _mm256_max_ps(a.lo, a.hi);
    const __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 pair = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
  }
  static __m256 rotate_pairs(__m256 x, __m256 angles) {
    const __m256 swapped = _mm256_permute_ps(x, 0xB1);
    return _mm256_fmaddsub_ps(x, _mm256_moveldup_ps(angles),
                              _mm256_mul_ps(swapped, _mm256_movehdup_ps(angles)));
  }
  static F rotate_pairs(F x, F angles) {
    return {rotate_pairs(x.lo, angles.lo), rotate_pairs(x.hi, angles.hi)};
  }
  static void load_pairs(const float* p, F& even, F& odd) {
    const F low = load(p), high = load(p + 16);
    even = {gather_lanes<0x88>(low), gather_lanes<0x88>(high)};
    odd = {gather_lanes<0xDD>(low), gather_lanes<0xDD>(high)};
  }

  // Integers.
  static I zero_int() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I set1_int(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static __m128i load_64(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
  static I load_bytes(const uint8_t* p) {
    return {_mm256_cvtepu8_epi32(load_64(p)), _mm256_cvtepu8_epi32(load_64(p + 8))};
  }
  static I load_bytes(const int8_t* p) {
    return {_mm256_cvtepi8_epi32(load_64(p)), _mm256_cvtepi8_epi32(load_64(p + 8))};
  }
  static I add(I a, I b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
  static I bit_and(I a, I b) { return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
  static I bit_or(I a, I b) { return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)}; }
  template <int n>
  static I shift_left(I a) {
    return {_mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n)};
  }
  template <int n>
  static I shift_right(I a) {
    return {_mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n)};
  }
  static I max(I a, I b) { return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)}; }
  static int32_t sum(I a) {
    const __m256i half = _mm256_add_epi32(a.lo, a.hi);
    const __m128i quarter = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i pair = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xB1)));
  }
  static int32_t largest(I a) {
    const __m256i half = _mm256_max_epi32(a.lo, a.hi);
    const __m128i quarter = _mm_max_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const __m128i pair = _mm_max_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(pair, _mm_shuffle_epi32(pair, 0xB1)));
  }
  static I bits_of(F a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
  static F float_of_bits(I a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
  static F to_float(I a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  static I to_int(F a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
  static void store_bytes(int8_t* p, I a) {
    const __m128i low = _mm_packs_epi32(_mm256_castsi256_si128(a.lo), _mm256_extracti128_si256(a.lo, 1));
    const __m128i high = _mm_packs_epi32(_mm256_castsi256_si128(a.hi), _mm256_extracti128_si256(a.hi, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(low, high));
  }

  // Bytes: four to a lane.
  static B load_block(const uint8_t* p) {
    const auto* halves = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
  }
  static void store_block(uint8_t* p, B a) {
    auto* halves = reinterpret_cast<__m256i*>(p);
    _mm256_storeu_si256(halves, a.lo);
    _mm256_storeu_si256(halves + 1, a.hi);
  }
  static B low_nibbles(B a) {
    const __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
  }
  static B high_nibbles(B a) { return low_nibbles({_mm256_srli_epi16(a.lo, 4), _mm256_srli_epi16(a.hi, 4)}); }
  template <int i>
  static B with_high_bits(B low, B high) {
    return {_mm256_or_si256(low.lo, two_bits<i>(high.lo)), _mm256_or_si256(low.hi, two_bits<i>(high.hi))};
  }
  static B broadcast4(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return {_mm256_set1_epi32(four), _mm256_set1_epi32(four)};
  }
  // Two products of at most 127 * 127 fit 16 bits, so nothing saturates.
  static I dot4_u7(I acc, B w, B x) {
    return {_mm256_add_epi32(acc.lo, add_pairs(_mm256_maddubs_epi16(w.lo, x.lo))),
            _mm256_add_epi32(acc.hi, add_pairs(_mm256_maddubs_epi16(w.hi, x.hi)))};
  }
  // |w| * (x with the sign of w): 2 * 128 * 127 still fits 16 bits.
  static I dot4_s8(I acc, B w, B x) {
    return {_mm256_add_epi32(acc.lo, signed_dot4(w.lo, x.lo)),
            _mm256_add_epi32(acc.hi, signed_dot4(w.hi, x.hi))};
  }

 private:
  static __m256i add_pairs(__m256i sums) { return _mm256_madd_epi16(sums, _mm256_set1_epi16(1)); }
  static __m256i signed_dot4(__m256i stored, __m256i x) {
    const __m256i w = _mm256_xor_si256(stored, _mm256_set1_epi8(static_cast<char>(0x80)));
    return add_pairs(_mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)));
  }
  template <int i>
  static __m256i two_bits(__m256i high) {
    const __m256i moved = i < 2 ? _mm256_slli_epi16(high, i < 2 ? 4 - 2 * i : 0)
                                : _mm256_srli_epi16(high, i < 2 ? 0 : 2 * i - 4);
    return _mm256_and_si256(moved, _mm256_set1_epi8(0x30));
  }
  // Lanes that `pick` takes from each four of the two registers: 0x88 the even ones, 0xDD the odd ones.
  template <int pick>
  static __m256 gather_lanes(F a) {
    const __m256 mixed = _mm256_shuffle_ps(a.lo, a.hi, pick);
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
  }
};

}  // namespace llama_gpu::cpu
