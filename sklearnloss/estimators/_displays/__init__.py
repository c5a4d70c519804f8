"""Pictures of fits (``fit_curve``) and of masks (``segmentation``), in one ``style``.

A picture of masks takes ``chosen_images``, makes gray levels and codes of them (``planes``),
arranges ``views`` of them, colors the ``panels`` and draws them into ``axes``.
"""
