# SPDX-License-Identifier: Apache-2.0
"""The sandbox: a production to lose, the world around it, and defects to put into either."""
