# One way to declare a library, a program and a test, so that flags and layout are the same everywhere.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(penstock_flags INTERFACE)
# Warnings are g++'s business: clang, which builds the fuzz targets, reads some of these options differently.
target_compile_options(penstock_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror>)
target_include_directories(penstock_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(penstock_flags INTERFACE Threads::Threads)
if(PENSTOCK_SANITIZE)
  target_compile_options(penstock_flags INTERFACE -fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(penstock_flags INTERFACE -fsanitize=${PENSTOCK_SANITIZE})
endif()
if(PENSTOCK_FUZZ)
  target_compile_options(penstock_flags INTERFACE -fno-sanitize-recover=all)
endif()

# penstock_library(base SOURCES error.cpp … DEPS fmt::fmt …) makes the target penstock_base.
function(penstock_library module)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(penstock_${module} STATIC ${ARG_SOURCES})
    target_link_libraries(penstock_${module} PUBLIC penstock_flags ${ARG_DEPS})
  else()
    add_library(penstock_${module} INTERFACE)
    target_link_libraries(penstock_${module} INTERFACE penstock_flags ${ARG_DEPS})
  endif()
endfunction()

# penstock_program(penstock-agent SOURCES … DEPS …) makes build/bin/penstock-agent.
function(penstock_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE penstock_flags ${ARG_DEPS})
endfunction()

if(PENSTOCK_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# penstock_test(base SOURCES error_test.cpp … DEPS …) makes build/tests/base_test, one ctest entry per test.
# LABELS: `engine` for tests that need a Docker engine, `slow` for tests that take more than some seconds.
function(penstock_test module)
  if(NOT PENSTOCK_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS;ENVIRONMENT" ${ARGN})
  add_executable(${module}_test ${ARG_SOURCES})
  set_target_properties(${module}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${module}_test PRIVATE penstock_flags ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(PENSTOCK_SANITIZE MATCHES "thread")
    # Kernels that place mappings at random over more bits than the sanitizer knows would end it before it begins.
    set_target_properties(${module}_test PROPERTIES CROSSCOMPILING_EMULATOR "setarch;-R")
  endif()
  # A parametrised test is named by its suite's name generator; its parameter's value would bring paths into the name.
  gtest_discover_tests(${module}_test TEST_PREFIX ${module}. TEST_LIST ${module}_tests NO_PRETTY_VALUES
    DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
  # gtest_discover_tests loses empty properties and all but the first of a list: these are set by ctest, after its own file.
  # Generated, so that $<TARGET_FILE:…> may stand in them.
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${module}_test_properties.cmake)
  set(lines "if(${module}_tests)\n")
  foreach(property LABELS ENVIRONMENT)
    if(ARG_${property})
      string(APPEND lines "  set_tests_properties(\${${module}_tests} PROPERTIES ${property} [==[${ARG_${property}}]==])\n")
    endif()
  endforeach()
  file(GENERATE OUTPUT ${script} CONTENT "${lines}endif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${script})
endfunction()

# penstock_fuzz(manifest SOURCES manifest_fuzz.cpp DEPS … SEEDS folder …) makes build/fuzz/targets/manifest_fuzz, which
# `./dev fuzz manifest` runs. SEEDS: folders of inputs to begin with. DICTIONARY: words of the format. LONGEST: bytes of an
# input, 4096 if not given.
# Part of the targets that are built with the preset `fuzz` only: `penstock_fuzz_targets` builds them all.
function(penstock_fuzz name)
  if(NOT PENSTOCK_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "DICTIONARY;LONGEST" "SOURCES;DEPS;SEEDS" ${ARGN})
  if(NOT ARG_LONGEST)
    set(ARG_LONGEST 4096)
  endif()
  set(directory ${CMAKE_BINARY_DIR}/targets)
  add_executable(${name}_fuzz ${ARG_SOURCES})
  set_target_properties(${name}_fuzz PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${directory})
  target_link_libraries(${name}_fuzz PRIVATE penstock_flags ${ARG_DEPS})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  list(JOIN ARG_SEEDS "\", \"" seeds)
  file(GENERATE OUTPUT ${directory}/${name}.json
    CONTENT "{\"seeds\": [\"${seeds}\"], \"dictionary\": \"${ARG_DICTIONARY}\", \"longest\": ${ARG_LONGEST}}\n")
  if(NOT TARGET penstock_fuzz_targets)
    add_custom_target(penstock_fuzz_targets)
  endif()
  add_dependencies(penstock_fuzz_targets ${name}_fuzz)
endfunction()
