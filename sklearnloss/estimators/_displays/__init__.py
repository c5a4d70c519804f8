"""Figures of fits (``fit_curve``) and of masks (``segmentation``), in one ``style``.

A figure of masks takes ``chosen_images``, converts them to gray levels and codes (``planes``),
arranges ``views`` of them, colors the ``panels`` and draws them into ``axes``.
"""
